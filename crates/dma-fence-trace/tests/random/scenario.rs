//! Traces from bytes: four of them are an event, or a few that belong together.
//!
//! Of everything there is little: the same fences, threads and rings meet again and again. Fuzzing finds its way better
//! here than in text.

/// What a fence belongs to: driver, timeline, context.
const TRACKS: [(&str, &str, u32); 16] = [
    ("gpu", "gfx", 5),
    ("gpu", "copy", 6),
    ("amdgpu", "CRTC:45-crtc-0", 1),
    ("vkms", "CONNECTOR:3", 2),
    ("dma_fence_array", "unbound", 9),
    ("dma_fence_chain", "unbound", 10),
    ("drm_sched", "gfx", 20),
    ("drm_sched", "gfx", 21),
    ("drm_sched", "sdma", 30),
    ("drm_sched", "sdma", 31),
    ("amdgpu", "gfx", 90),
    ("virtio_gpu", "controlq", 40),
    ("xe", "preempt", 50),
    ("vgem", "unbound", 60),
    ("i915", "signaled", 5),
    ("detached-driver", "signaled-timeline", 0),
];

const TASKS: [&str; 8] = [
    "game-7",
    "sway-8",
    "kworker/u8:0-10",
    "kworker/u8:1-11",
    "irq-2",
    "other-7",
    "DP-1-crtc-0-12",
    "<idle>-0",
];

/// Microseconds from one event to the next; those that are negative are of another CPU.
const STEPS: [i64; 16] = [
    0, 1, 40, 700, 5_000, 10_000, 60_000, 200_000, 300_000, 1_100_000, 3_000_000, 40_000_000, -30,
    -800, -3_000, -2_000_000,
];

/// A trace that is being written.
#[derive(Default)]
struct Writer {
    text: String,
    /// Microseconds.
    clock: u64,
    /// Fences of [`Self::many`] have numbers of their own.
    made: u32,
}

/// A fence, and what its names are.
#[derive(Clone, Copy)]
struct Named {
    driver: &'static str,
    timeline: &'static str,
    context: u32,
    seqno: u32,
}

impl Named {
    /// Half of the bits say which timeline, half which number.
    fn from(byte: u8) -> Self {
        let (driver, timeline, context) = TRACKS[usize::from(byte % 16)];
        let seqno = match byte / 16 {
            14 => u32::MAX,
            15 => 100,
            other => u32::from(other % 6),
        };
        // Containers have a context each.
        let context =
            if timeline == "unbound" { (context * 100).wrapping_add(seqno) } else { context };
        Self { driver, timeline, context, seqno }
    }
}

/// What any bytes stand for: with a zero before it, text as it is, else events.
pub(crate) fn any(bytes: &[u8]) -> Vec<u8> {
    match bytes {
        [0, text @ ..] => text.to_vec(),
        [_, events @ ..] => text(events).into_bytes(),
        [] => Vec::new(),
    }
}

/// The trace that events of four bytes each stand for.
pub(crate) fn text(bytes: &[u8]) -> String {
    let mut writer = Writer { clock: 5_000_000, ..Writer::default() };
    for event in bytes.chunks_exact(4) {
        let &[what, fence, step, rest] = event else { unreachable!("there are four") };
        writer.clock = writer.clock.saturating_add_signed(STEPS[usize::from(step % 16)]);
        writer.event(what, Named::from(fence), TASKS[usize::from(rest % 8)], step / 16, rest / 8);
    }
    writer.text
}

impl Writer {
    fn event(&mut self, what: u8, fence: Named, task: &str, few: u8, more: u8) {
        let other = Named::from(more.wrapping_mul(23).wrapping_add(few));
        let job = self::job(fence, few);
        let Named { context, seqno, .. } = fence;
        match what % 32 {
            0 | 1 => self.fence(task, "init", fence, ""),
            2 => self.fence(task, "emit", fence, ""),
            3 => self.fence(task, "enable_signal", fence, ""),
            4 | 5 => self.fence(task, "signaled", fence, ""),
            6 => self.fence(task, "destroy", fence, ""),
            7 | 8 => self.fence(task, "wait_start", fence, ""),
            9 => self.fence(task, "wait_end", fence, ""),
            10 => self.fence(task, "abandoned", fence, ""),
            11 => self.fence(task, "signaled", fence, " error=-5"),
            12 => {
                let member = format!(" member={}:{}", other.context, other.seqno);
                self.fence(task, "member", fence, &member);
            }
            13 => self.job(task, "drm_sched_job_queue", &job),
            14 => self.job(task, "drm_sched_job_run", &job),
            15 => self.line(task, &format!("drm_sched_job_done: fence={context}:{seqno} signaled")),
            16 => self.depend(task, "drm_sched_job_add_dep", fence, "fence", other),
            17 => {
                self.depend(task, "drm_sched_job_unschedulable", fence, "unsignalled fence", other)
            }
            18 => self.old_job(task, "drm_sched_job", few, fence.timeline),
            19 => self.old_job(task, "drm_run_job", few, fence.timeline),
            20 => {
                self.line(task, &format!("drm_sched_process_job: fence=00000000f{few:x} signaled"))
            }
            21 => {
                let ring = fence.timeline;
                let Named { context, seqno, .. } = other;
                let on = format!("depends fence=00000000f0, context={context}, seq={seqno}");
                self.line(
                    task,
                    &format!("drm_sched_job_wait_dep: job ring={ring}, id={few}, {on}"),
                );
            }
            22 => self.text += &format!("CPU:{} [LOST {more} EVENTS]\n", few % 2),
            23 => self.text += &format!("##### CPU {} buffer started ####\n", few % 2),
            24 => {
                self.text += &format!("# entries-in-buffer/entries-written: {few}/{more}   #P:2\n")
            }
            25 => {
                let (seconds, micros) = (self.clock / 1_000_000, self.clock % 1_000_000);
                self.text += &format!("# tracing ended at {seconds}.{micros:06}\n");
            }
            26 => self.line(task, "sched_switch: prev_comm=a ==> next_comm=b"),
            27 => {
                let Named { driver, timeline, .. } = fence;
                let names = format!("driver={driver} timeline={timeline}");
                self.line(task, &format!("dma_fence_init: {names} seqno={seqno}"));
            }
            28 | 29 => self.whole_job(task, fence, &job),
            30 => self.many(task, fence, 30),
            // So many that others are forgotten; rarely, because it takes time.
            _ if few == 0 => self.many(task, fence, 1100),
            _ => self.fence(task, "wait_start", fence, ""),
        }
    }

    fn line(&mut self, task: &str, event: &str) {
        let (seconds, micros) = (self.clock / 1_000_000, self.clock % 1_000_000);
        let cpu = task.len() % 2;
        self.text += &format!("{task:>20} [00{cpu}] ..... {seconds}.{micros:06}: {event}\n");
    }

    fn fence(&mut self, task: &str, step: &str, fence: Named, more: &str) {
        let Named { driver, timeline, context, seqno } = fence;
        let names = format!("driver={driver} timeline={timeline} context={context} seqno={seqno}");
        self.line(task, &format!("dma_fence_{step}: {names}{more}"));
    }

    fn job(&mut self, task: &str, event: &str, job: &str) {
        self.line(task, &format!("{event}: {job}, job count:1, hw job count:0, client_id:1"));
    }

    fn old_job(&mut self, task: &str, event: &str, id: u8, ring: &str) {
        let names = format!("entity=00000000e1, id={id}, fence=00000000f{id:x}, ring={ring}");
        self.line(task, &format!("{event}: {names}, job count:0, hw job count:0"));
    }

    fn depend(&mut self, task: &str, event: &str, fence: Named, word: &str, on: Named) {
        let Named { context, seqno, .. } = fence;
        let on = format!("depends on {word}={}:{}", on.context, on.seqno);
        self.line(task, &format!("{event}: fence={context}:{seqno} {on}"));
    }

    /// Its three fences, as far as it is given to the device.
    fn whole_job(&mut self, task: &str, fence: Named, job: &str) {
        let scheduled = Named { context: fence.context.wrapping_sub(1), ..fence };
        self.fence(task, "init", scheduled, "");
        self.fence(task, "init", fence, "");
        self.job(task, "drm_sched_job_queue", job);
        self.clock += 10;
        let worker = TASKS[3];
        self.job(worker, "drm_sched_job_run", job);
        self.fence(worker, "init", Named { driver: "amdgpu", context: 90, ..fence }, "");
        self.fence(worker, "signaled", scheduled, "");
    }

    /// Fences with which nothing is wrong.
    fn many(&mut self, task: &str, fence: Named, count: u32) {
        for _ in 0..count {
            self.made += 1;
            let fence = Named { seqno: 1000 + self.made, ..fence };
            for step in ["init", "signaled", "destroy"] {
                self.fence(task, step, fence, "");
                self.clock += 1000;
            }
        }
    }
}

fn job(fence: Named, device: u8) -> String {
    let Named { timeline, context, seqno, .. } = fence;
    format!("dev=d{}, fence={context}:{seqno}, ring={timeline}", device % 2)
}
