//! Verdicts on small traces, one question each.

mod blame;
mod causes;
mod damage;
mod gaps;
mod jobs;
mod judging;
mod odd;
mod parts;
mod remembered;
mod script;
mod waits;
