//! One thread signals, another registers on the same operations at the same time.

use std::hint::black_box;
use std::task::{Context, Waker};

use dma_fence::{DriverFence, FenceContext};
use futures::FutureExt;
use tokio::sync::oneshot;

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

fn look<T>(value: T) {
    black_box(value);
}

fn ours() -> Contender {
    let context = FenceContext::hardware("bench", "ring");
    Contender::new("dma-fence", move |times| {
        let producers: Vec<_> = (0..times).map(|_| context.new_fence()).collect();
        let fences: Vec<_> = producers.iter().map(DriverFence::fence).collect();
        let signal = || producers.into_iter().for_each(|producer| producer.signal(Ok(())));
        let register = || {
            for fence in &fences {
                if let Ok(callback) = fence.on_signal(|signal| look(signal.result)) {
                    callback.detach();
                }
            }
        };
        together(vec![Box::new(signal), Box::new(register)])
    })
}

fn oneshot() -> Contender {
    Contender::new("tokio oneshot", |times| {
        let (producers, mut fences): (Vec<_>, Vec<_>) =
            (0..times).map(|_| oneshot::channel::<Result<(), i32>>()).unzip();
        let signal = || producers.into_iter().for_each(|producer| producer.send(Ok(())).unwrap());
        let register = || {
            let mut context = Context::from_waker(Waker::noop());
            fences.iter_mut().for_each(|fence| look(fence.poll_unpin(&mut context)));
        };
        together(vec![Box::new(signal), Box::new(register)])
    })
}

fn boxed() -> Contender {
    Contender::new("boxed closures in a Mutex", |times| {
        let fences: Vec<_> = (0..times).map(|_| BoxedFence::new()).collect();
        let signal = || fences.iter().for_each(BoxedFence::signal);
        let register = || fences.iter().for_each(|fence| fence.on_signal(|| look(())));
        together(vec![Box::new(signal), Box::new(register)])
    })
}
