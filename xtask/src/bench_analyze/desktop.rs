//! The trace of a busy desktop, as large as one likes: always the same one.
//!
//! Programs draw, a compositor waits for them and draws what is shown; a display's worker waits for that. Every
//! job has the three fences of the kernel's scheduler: that it is scheduled, that it is finished, and the
//! hardware's. Some hundred are in flight at any time, however long it goes on.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fmt::Write as _,
    io::{self, Write},
};

const CPUS: u64 = 8;
const US: u64 = 1000;
const MS: u64 = 1_000_000;
/// So many events after another, a fence is late. They take longer than it does, so that with as many left, it
/// does signal.
const LATE_EVERY: u64 = 100_000;
const LATE: u64 = 2_500 * MS;
const RINGS: [&str; 5] = ["gfx_0.0.0", "comp_1.0.1", "sdma0", "sdma1", "vcn_dec_0"];
const COMPOSITOR: usize = 0;
const PROGRAMS: [&str; 12] = [
    "gnome-s:disk$0",
    "Xorg:cs0",
    "firefox:cs0",
    "WebKitWebProces",
    "mpv/vo",
    "game.exe:cs0",
    "blender:cs0",
    "code:cs0",
    "GPU Process",
    "obs: video",
    "chrome:cs0",
    "kworker/u16:3",
];

/// Writes so many events.
pub(super) fn write(events: u64, to: &mut impl Write) -> io::Result<()> {
    writeln!(
        to,
        "# tracer: nop\n#\n# entries-in-buffer/entries-written: {events}/{events}   #P:{CPUS}\n#"
    )?;
    let mut desktop = Desktop::new(events);
    while desktop.written < events {
        desktop.job();
        desktop.write_until(desktop.now, to)?;
    }
    Ok(())
}

struct Desktop {
    events: u64,
    written: u64,
    now: u64,
    random: u64,
    /// What will have happened, soonest first; at the same time, in the order in which it was said.
    coming: BinaryHeap<Reverse<(u64, u64, String)>>,
    said: u64,
    /// How many jobs each program has submitted to each ring.
    jobs: [[u64; RINGS.len()]; PROGRAMS.len()],
    /// How many each ring was given.
    given: [u64; RINGS.len()],
    frames: u64,
    next_late: u64,
    has_never: bool,
}

/// Where something happens.
#[derive(Clone, Copy)]
enum By {
    Program(usize),
    /// An interrupt, whoever was running.
    Interrupt,
    Worker(&'static str, u32),
}

const SCHEDULER: By = By::Worker("kworker/u16:1", 71);
const DISPLAY: By = By::Worker("kworker/u16:5+ev", 83);

impl Desktop {
    fn new(events: u64) -> Self {
        Self {
            events,
            written: 0,
            now: 2_077 * 1000 * MS,
            random: 42,
            coming: BinaryHeap::new(),
            said: 0,
            jobs: Default::default(),
            given: Default::default(),
            frames: 0,
            next_late: LATE_EVERY / 2,
            has_never: false,
        }
    }

    /// A job's life, from when a program submits it.
    fn job(&mut self) {
        self.now += 20 * US + self.random(800 * US);
        let program = self.random(PROGRAMS.len() as u64) as usize;
        let ring = self.random(RINGS.len() as u64) as usize;
        let end = match self.luck() {
            Luck::Good => Some(200 * US + self.random(8 * MS)),
            Luck::Late => Some(LATE),
            Luck::Never => None,
        };
        self.jobs[program][ring] += 1;
        let seqno = self.jobs[program][ring];
        // Each queue of a program has two contexts, each ring one of the hardware.
        let queue = (program * RINGS.len() + ring) as u64;
        let (scheduled, finished) = (100 + 2 * queue, 101 + 2 * queue);
        let name = RINGS[ring];
        let by = By::Program(program);

        let mut at = self.now;
        self.fence(at, by, "init", "drm_sched", name, scheduled, seqno);
        self.fence(at + US, by, "init", "drm_sched", name, finished, seqno);
        at += 4 * US;
        self.scheduler(at, by, "job_queue", (finished, seqno), name, queue);
        if self.random(3) == 0 && seqno > 1 {
            let text = format!(
                "drm_sched_job_add_dep: fence={finished}:{seqno} depends on fence={finished}:{}",
                seqno - 1
            );
            self.say(at + US, by, &text);
        }
        at += 10 * US + self.random(100 * US);
        self.given[ring] += 1;
        let (hardware, number) = (10 + ring as u64, self.given[ring]);
        self.fence(at, SCHEDULER, "init", "amdgpu", name, hardware, number);
        self.fence(at + US, SCHEDULER, "emit", "amdgpu", name, hardware, number);
        self.fence(at + 2 * US, SCHEDULER, "signaled", "drm_sched", name, scheduled, seqno);
        self.scheduler(at + 3 * US, SCHEDULER, "job_run", (finished, seqno), name, queue);
        let waits = self.random(4) == 0 || end.is_none();
        if waits {
            let by = By::Program(COMPOSITOR);
            self.fence(at + 5 * US, by, "enable_signal", "drm_sched", name, finished, seqno);
            self.fence(at + 6 * US, by, "wait_start", "drm_sched", name, finished, seqno);
        }
        let Some(end) = end else { return };
        at += end;
        self.fence(at, By::Interrupt, "signaled", "amdgpu", name, hardware, number);
        self.say(
            at + US,
            By::Interrupt,
            &format!("drm_sched_job_done: fence={finished}:{seqno} signaled"),
        );
        self.fence(at + 2 * US, By::Interrupt, "signaled", "drm_sched", name, finished, seqno);
        // Newer kernels forget the names.
        let (driver, name) = ("detached-driver", "signaled-timeline");
        if waits {
            let by = By::Program(COMPOSITOR);
            self.fence(at + 30 * US, by, "wait_end", driver, name, finished, seqno);
            self.frame(at + 40 * US);
        }
        for (after, context, seqno) in
            [(50, hardware, number), (51, scheduled, seqno), (90, finished, seqno)]
        {
            self.fence(at + after * US, SCHEDULER, "destroy", driver, name, context, seqno);
        }
    }

    /// What is shown when it is drawn.
    fn frame(&mut self, at: u64) {
        self.frames += 1;
        let (context, seqno) = (5, self.frames);
        self.fence(at, DISPLAY, "init", "amdgpu_dm", "CRTC:79:crtc-0", context, seqno);
        let shown = at + 2 * MS + self.random(14 * MS);
        self.fence(shown, By::Interrupt, "signaled", "amdgpu_dm", "CRTC:79:crtc-0", context, seqno);
        let names = ("detached-driver", "signaled-timeline");
        self.fence(shown + 20 * US, DISPLAY, "destroy", names.0, names.1, context, seqno);
    }

    fn luck(&mut self) -> Luck {
        if !self.has_never && self.written >= self.events / 4 {
            self.has_never = true;
            return Luck::Never;
        }
        if self.written >= self.next_late && self.written + LATE_EVERY <= self.events {
            self.next_late += LATE_EVERY;
            return Luck::Late;
        }
        Luck::Good
    }

    #[expect(clippy::too_many_arguments, reason = "what the event prints")]
    fn fence(
        &mut self,
        at: u64,
        by: By,
        event: &str,
        driver: &str,
        timeline: &str,
        context: u64,
        seqno: u64,
    ) {
        let text = format!(
            "dma_fence_{event}: driver={driver} timeline={timeline} context={context} seqno={seqno}"
        );
        self.say(at, by, &text);
    }

    fn scheduler(
        &mut self,
        at: u64,
        by: By,
        event: &str,
        fence: (u64, u64),
        ring: &str,
        client: u64,
    ) {
        let (context, seqno) = fence;
        let count = self.random(5);
        let text = format!(
            "drm_sched_{event}: dev=0000:03:00.0, fence={context}:{seqno}, ring={ring}, job count:{count}, hw job count:{}, client_id:{client}",
            count / 2
        );
        self.say(at, by, &text);
    }

    fn say(&mut self, at: u64, by: By, text: &str) {
        let cpu = self.random(CPUS);
        let (comm, pid, flags) = match by {
            By::Program(program) => (PROGRAMS[program], 1000 + 37 * program as u32, "....."),
            By::Worker(comm, pid) => (comm, pid, "....."),
            By::Interrupt if self.random(2) == 0 => ("<idle>", 0, "d.h1."),
            By::Interrupt => ("game.exe:cs0", 1185, "d.h2."),
        };
        let (seconds, micros) = (at / 1_000_000_000, at / 1000 % 1_000_000);
        let mut line = String::with_capacity(160);
        write!(line, "{comm:>16}-{pid:<7} [{cpu:03}] {flags} {seconds:>5}.{micros:06}: {text}")
            .expect("a string takes everything");
        self.said += 1;
        self.coming.push(Reverse((at, self.said, line)));
    }

    fn write_until(&mut self, now: u64, to: &mut impl Write) -> io::Result<()> {
        while self.written < self.events
            && self.coming.peek().is_some_and(|Reverse((at, ..))| *at <= now)
        {
            let Some(Reverse((_, _, line))) = self.coming.pop() else { break };
            writeln!(to, "{line}")?;
            self.written += 1;
        }
        Ok(())
    }

    /// Splitmix64: the same everywhere.
    fn random(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }
}

enum Luck {
    Good,
    Late,
    Never,
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use dma_fence_trace::{EventKind, FenceStep, Line, Reader};

    use super::*;

    const EVENTS: u64 = 300_000;

    fn trace(events: u64) -> Vec<u8> {
        let mut text = Vec::new();
        write(events, &mut text).unwrap();
        text
    }

    #[test]
    fn every_line_is_understood_and_of_every_kind() {
        let text = trace(EVENTS);
        let mut reader = Reader::new(&*text);
        let mut kinds = BTreeMap::<String, u64>::new();
        let mut last = 0;
        while let Some(line) = reader.next().unwrap() {
            if let Line::Event(event) = line {
                assert!(event.time_ns >= last && event.cpu.is_some() && event.task.pid.is_some());
                last = event.time_ns;
                let name = match event.kind {
                    EventKind::Fence { step, fence: Some(_), .. } => format!("{step:?}"),
                    EventKind::Job { step, fence: Some(_), .. } => format!("job {step:?}"),
                    kind => panic!("{kind:?}"),
                };
                *kinds.entry(name).or_default() += 1;
            }
        }
        assert_eq!((reader.tally().events, reader.tally().malformed), (EVENTS, 0));
        assert_eq!((reader.tally().others, reader.tally().lines), (0, EVENTS + 4));
        assert_eq!(kinds.len(), 11, "{kinds:?}");
        assert!(kinds.values().all(|count| *count > EVENTS / 100), "{kinds:?}");
    }

    #[test]
    fn one_never_signals_and_few_are_late() {
        let text = trace(EVENTS);
        let mut reader = Reader::new(&*text);
        let mut pending = HashMap::new();
        let mut most = 0;
        let (mut last, mut late) = (0, 0);
        while let Some(line) = reader.next().unwrap() {
            let Line::Event(event) = line else { continue };
            last = event.time_ns;
            let EventKind::Fence { step, fence, .. } = event.kind else { continue };
            match step {
                FenceStep::Init => assert_eq!(pending.insert(fence, last), None, "{fence:?}"),
                FenceStep::Signaled => {
                    let began = pending.remove(&fence).unwrap();
                    late += u32::from(last - began > 1000 * MS);
                }
                _ => {}
            }
            most = most.max(pending.len());
        }
        // The finished fence and the hardware's.
        assert_eq!(late, 2 * 2);
        let never = pending.values().filter(|began| last - *began > 1000 * MS).count();
        assert_eq!(never, 2);
        assert!(pending.len() > 2 && most < 200, "{} {most}", pending.len());
    }

    #[test]
    fn it_is_always_the_same_and_a_longer_one_begins_alike() {
        let short = trace(1000);
        assert!(short == trace(1000));
        let (short, long) = (String::from_utf8(short).unwrap(), trace(1001));
        let long = String::from_utf8(long).unwrap();
        assert_eq!(long.lines().count(), short.lines().count() + 1);
        // Not the whole of it: which one never signals depends on its length.
        let alike = short.lines().zip(long.lines()).skip(4).take_while(|(a, b)| a == b).count();
        assert!(alike > 200, "{alike}");
    }
}
