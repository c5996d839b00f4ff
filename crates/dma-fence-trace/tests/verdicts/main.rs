//! Verdicts on small traces, one question each.

mod blame;
mod damage;
mod gaps;
mod jobs;
mod judging;
mod odd;
mod script;
