//! To hear when all of N operations have ended: making them, combining them, and their signals.
//!
//! Ours record when that was. The time is taken once for all of a group, as a driver does that finds several
//! operations done at one interrupt.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use dma_fence::{DriverFence, FenceArray, FenceContext, Timestamp};
use futures::FutureExt;
use futures::future::{Shared, join_all};
use tokio::sync::oneshot;

use crate::contest::{Contender, Contest, timed};
use crate::peers::BoxedFence;

#[derive(Clone, Copy)]
pub(crate) enum Order {
    FirstToLast,
    LastToFirst,
    Random,
}

pub(super) fn contests() -> Vec<Contest> {
    let in_order = [16, 256, 4096].map(|members| {
        Contest::new(
            format!("all of {members}, in order"),
            "member",
            ours(members, Order::FirstToLast),
        )
        .against(countdown(members, Order::FirstToLast), 0.8)
        .beside(joined(members, Order::FirstToLast))
    });
    let others = [("last to first", Order::LastToFirst), ("at random", Order::Random)].map(
        |(name, order)| {
            Contest::new(format!("all of 256, {name}"), "member", ours(256, order))
                .against(countdown(256, order), 1.0)
                .beside(joined(256, order))
                .beside(shared(256, order))
        },
    );
    in_order.into_iter().chain(others).collect()
}

/// What has to be signaled when.
fn places(members: usize, order: Order) -> Vec<usize> {
    let mut places: Vec<usize> = (0..members).collect();
    match order {
        Order::FirstToLast => {}
        Order::LastToFirst => places.reverse(),
        Order::Random => {
            // Always the same, and a permutation: the factor is prime and no divisor of a power of two.
            places.iter_mut().for_each(|place| *place = *place * 7919 % members);
        }
    }
    places
}

/// Does it for whole groups of members.
fn in_groups(members: usize, mut work: impl FnMut() + 'static) -> impl FnMut(u64) -> Duration {
    move |times| {
        let groups = times.div_ceil(members as u64);
        let took = timed(|| (0..groups).for_each(|_| work()));
        took.mul_f64(times as f64 / (groups * members as u64) as f64)
    }
}

/// Signals all in that order, each once.
fn signal_all<T>(producers: &mut [Option<T>], places: &[usize], mut signal: impl FnMut(T)) {
    for place in places {
        signal(producers[*place].take().expect("each place comes once"));
    }
}

pub(crate) fn ours(members: usize, order: Order) -> Contender {
    let (context, places) = (FenceContext::hardware("bench", "ring"), places(members, order));
    let work = move || {
        let mut producers: Vec<_> = (0..members).map(|_| Some(context.new_fence())).collect();
        let fences = producers.iter().flatten().map(DriverFence::fence).collect();
        let array = FenceArray::new(fences).expect("there are members, and none is an array");
        let done = Arc::new(AtomicBool::new(false));
        let tell = done.clone();
        array.on_signal_detached(move |_| tell.store(true, Ordering::Release)).expect("pending");
        let now = Timestamp::now();
        signal_all(&mut producers, &places, |producer| producer.signal_at(Ok(()), now));
        assert!(done.load(Ordering::Acquire));
    };
    Contender::new("dma-fence", in_groups(members, work))
}

pub(crate) fn countdown(members: usize, order: Order) -> Contender {
    let places = places(members, order);
    let work = move || {
        let mut producers: Vec<_> = (0..members).map(|_| Some(BoxedFence::new())).collect();
        let fences: Vec<_> = producers.iter().flatten().cloned().collect();
        let done = Arc::new(AtomicBool::new(false));
        let left = Arc::new(AtomicUsize::new(members));
        for fence in &fences {
            let (left, done) = (left.clone(), done.clone());
            fence.on_signal(move || {
                if left.fetch_sub(1, Ordering::AcqRel) == 1 {
                    done.store(true, Ordering::Release);
                }
            });
        }
        signal_all(&mut producers, &places, |producer| producer.signal());
        assert!(done.load(Ordering::Acquire) && fences.iter().all(BoxedFence::is_signaled));
    };
    Contender::new("countdown of boxed closures", in_groups(members, work))
}

fn joined(members: usize, order: Order) -> Contender {
    let places = places(members, order);
    let work = move || {
        let (mut producers, fences): (Vec<_>, Vec<_>) = channels(members);
        let mut all = join_all(fences);
        let mut context = Context::from_waker(Waker::noop());
        assert!(all.poll_unpin(&mut context).is_pending());
        signal_all(&mut producers, &places, |producer| producer.send(Ok(())).expect("received"));
        assert!(all.poll_unpin(&mut context).is_ready());
    };
    Contender::new("tokio oneshot, join_all", in_groups(members, work))
}

/// Where others wait for each member, too.
fn shared(members: usize, order: Order) -> Contender {
    let places = places(members, order);
    let work = move || {
        let (mut producers, fences): (Vec<_>, Vec<_>) = channels(members);
        let fences: Vec<Shared<_>> = fences.into_iter().map(FutureExt::shared).collect();
        let mut all = join_all(fences.iter().cloned());
        let mut context = Context::from_waker(Waker::noop());
        assert!(all.poll_unpin(&mut context).is_pending());
        signal_all(&mut producers, &places, |producer| producer.send(Ok(())).expect("received"));
        assert!(all.poll_unpin(&mut context).is_ready());
        black_box(fences);
    };
    Contender::new("futures Shared, join_all", in_groups(members, work))
}

type Sender = oneshot::Sender<Result<(), i32>>;
type Receiver = oneshot::Receiver<Result<(), i32>>;

fn channels(members: usize) -> (Vec<Option<Sender>>, Vec<Receiver>) {
    (0..members)
        .map(|_| {
            let (producer, fence) = oneshot::channel();
            (Some(producer), fence)
        })
        .unzip()
}
