//! One thread makes operations and ends them, another registers for each as soon as it hears of it: about when it ends.

use std::hint::black_box;
use std::sync::mpsc::{TryRecvError, channel};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use dma_fence::{FenceContext, Timestamp};
use futures::FutureExt;
use tokio::sync::oneshot::{self, error::RecvError};

use crate::contest::{Contender, Contest, together};
use crate::peers::BoxedFence;

pub(super) fn contests() -> Vec<Contest> {
    vec![
        Contest::new("one signals, one registers", "operation", ours())
            .against(oneshot(), 1.0)
            .beside(boxed())
            .uncounted(),
    ]
}

/// At least so many at a time, so that it does not matter when which thread begins.
const OPERATIONS: u64 = 8192;

/// What the first thread sends, which ends it right after that, the second one receives, and keeps. It does not sleep, for
/// that would be all that is measured.
fn race<P, F: Send>(
    times: u64,
    make: impl Fn() -> (P, F) + Send,
    signal: impl Fn(P) + Send,
    register: impl Fn(&mut F) + Send,
) -> Duration {
    let operations = times.max(OPERATIONS);
    let (sender, receiver) = channel();
    let mut kept = Vec::with_capacity(operations as usize);
    let keep = &mut kept;
    let producer = move || {
        for _ in 0..operations {
            let (producer, fence) = make();
            sender.send(fence).expect("it is received");
            signal(producer);
        }
    };
    let consumer = move || {
        loop {
            match receiver.try_recv() {
                Ok(mut fence) => {
                    register(&mut fence);
                    keep.push(fence);
                }
                Err(TryRecvError::Empty) => std::hint::spin_loop(),
                Err(TryRecvError::Disconnected) => break,
            }
        }
    };
    let took = together(vec![Box::new(producer), Box::new(consumer)]);
    took.mul_f64(times as f64 / operations as f64)
}

fn look<T>(value: T) {
    black_box(value);
}

fn ours() -> Contender {
    let context = FenceContext::hardware("bench", "ring");
    Contender::new("dma-fence", move |times| {
        let make = || {
            let producer = context.new_fence();
            let fence = producer.fence();
            (producer, fence)
        };
        race(
            times,
            make,
            |producer| producer.signal(Ok(())),
            |fence| look(fence.on_signal_detached(|signal| look(signal.result))),
        )
    })
}

type Ended = Result<(), i32>;

pub(super) fn oneshot() -> Contender {
    Contender::new("tokio oneshot", |times| {
        race(times, oneshot::channel::<Ended>, send, |fence| look(poll(fence)))
    })
}

/// Also keeps the time, and takes memory for a callback: what ours does besides.
pub(super) fn oneshot_with_time_and_memory() -> Contender {
    Contender::new("tokio oneshot, the clock, memory", |times| {
        let signal = |producer| {
            look(Timestamp::now());
            send(producer);
        };
        let register = |fence: &mut _| look((Box::new([0_usize; 5]), poll(fence)));
        race(times, oneshot::channel::<Ended>, signal, register)
    })
}

fn send(producer: oneshot::Sender<Ended>) {
    producer.send(Ok(())).expect("it is kept");
}

fn poll(fence: &mut oneshot::Receiver<Ended>) -> Poll<Result<Ended, RecvError>> {
    fence.poll_unpin(&mut Context::from_waker(Waker::noop()))
}

fn boxed() -> Contender {
    Contender::new("boxed closures in a Mutex", |times| {
        let make = || {
            let producer = BoxedFence::new();
            (producer.clone(), producer)
        };
        race(times, make, |producer| producer.signal(), |fence| fence.on_signal(|| look(())))
    })
}
