//! A line that is not due yet: the reader's own goes with the next one that is read.

use dma_fence_trace::{Event, EventKind, FenceId, FenceStep, JobStep, Line, Task};

#[derive(Debug)]
pub(super) struct Held {
    time_ns: u64,
    cpu: Option<u32>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Other,
    Ended,
    Fence {
        task: (String, Option<u32>),
        step: FenceStep,
        driver: String,
        timeline: String,
        fence: Option<FenceId>,
        seqno: u32,
        error: Option<i32>,
    },
    Member {
        task: (String, Option<u32>),
        container: FenceId,
        member: FenceId,
    },
    Job {
        task: (String, Option<u32>),
        step: JobStep,
        fence: Option<FenceId>,
        id: Option<u64>,
        pointer: Option<u64>,
        device: String,
        ring: String,
        on: Option<FenceId>,
    },
}

/// When it happened, if it tells.
pub(super) fn time_of(line: &Line<'_>) -> Option<u64> {
    match line {
        Line::Event(event) => Some(event.time_ns),
        Line::Other { time_ns, .. } | Line::Ended { time_ns } => Some(*time_ns),
        _ => None,
    }
}

impl Held {
    /// `None` for lines without a time: they are never held.
    pub(super) fn of(line: &Line<'_>) -> Option<Self> {
        let event = match *line {
            Line::Event(event) => event,
            Line::Other { time_ns, cpu } => return Some(Held { time_ns, cpu, kind: Kind::Other }),
            Line::Ended { time_ns } => {
                return Some(Held { time_ns, cpu: None, kind: Kind::Ended });
            }
            _ => return None,
        };
        let task = (event.task.comm.to_owned(), event.task.pid);
        let kind = match event.kind {
            EventKind::Fence { step, driver, timeline, fence, seqno, error } => Kind::Fence {
                task,
                step,
                driver: driver.to_owned(),
                timeline: timeline.to_owned(),
                fence,
                seqno,
                error,
            },
            EventKind::Member { container, member } => Kind::Member { task, container, member },
            EventKind::Job { step, fence, id, pointer, device, ring, on } => {
                let (device, ring) = (device.to_owned(), ring.to_owned());
                Kind::Job { task, step, fence, id, pointer, device, ring, on }
            }
        };
        Some(Held { time_ns: event.time_ns, cpu: event.cpu, kind })
    }

    pub(super) fn time_ns(&self) -> u64 {
        self.time_ns
    }

    pub(super) fn line(&self) -> Line<'_> {
        let (time_ns, cpu) = (self.time_ns, self.cpu);
        let (task, kind) = match &self.kind {
            Kind::Other => return Line::Other { time_ns, cpu },
            Kind::Ended => return Line::Ended { time_ns },
            &Kind::Fence { ref task, step, ref driver, ref timeline, fence, seqno, error } => {
                (task, EventKind::Fence { step, driver, timeline, fence, seqno, error })
            }
            &Kind::Member { ref task, container, member } => {
                (task, EventKind::Member { container, member })
            }
            &Kind::Job { ref task, step, fence, id, pointer, ref device, ref ring, on } => {
                (task, EventKind::Job { step, fence, id, pointer, device, ring, on })
            }
        };
        let task = Task { comm: &task.0, pid: task.1 };
        Line::Event(Event { time_ns, cpu, task, kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dma_fence_trace::Parser;

    #[test]
    fn a_line_that_was_held_is_the_same_line() {
        let mut parser = Parser::new();
        for text in [
            "  Xorg-52 [001] .....  9.500000: dma_fence_init: driver=gpu timeline=gfx context=5 seqno=1",
            "  kw-7 [000] .....  9.600000: drm_sched_job_add_dep: fence=9:1 depends on fence=5:1",
            "  kw-7 [000] .....  9.600000: drm_sched_job: entity=00000000a, id=77, fence=00000000b, ring=gfx, job count:1, hw job count:0",
            "  kw-7 [000] .....  9.600000: drm_sched_job_run: dev=0000:00:02.0, fence=9:1, ring=gfx, job count:1, hw job count:0, client_id:3",
            "  kw-7 [000] .....  9.700000: sched_switch: prev_comm=a",
            "# tracing ended at 12.717909",
        ] {
            let line = parser.line(text.as_bytes());
            let held = Held::of(&line).unwrap_or_else(|| panic!("{line:?} of {text}"));
            assert_eq!(held.line(), line, "{text}");
            assert_eq!(Some(held.time_ns()), time_of(&line));
        }
        assert!(Held::of(&parser.line(b"CPU:0 [LOST 158 EVENTS]")).is_none());
    }
}
