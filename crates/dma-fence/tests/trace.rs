//! Events: what is told, when, to whom, and what the sink may do.
//!
//! All tests of the process have one sink, which keeps what it is told; each looks at contexts of its own.
#![cfg(not(loom))]

mod common;

use common::allocator::{Counting, allocations};
use common::{
    Backend, Log, OnEnable, Task, hardware, in_time, in_time_with_stack, rounds, software,
};
use dma_fence::trace::{Event, EventKind, Sink, SinkIsSet, set_sink};
use dma_fence::{
    DriverFence, Enabled, Errno, Fence, FenceArray, FenceChain, FenceContext, Signal, Status,
    Timestamp, WaitError, merge, wait_all, wait_all_timeout, wait_any, wait_any_timeout,
};
use std::cell::{Cell, RefCell};
use std::future::IntoFuture;
use std::sync::{Arc, Mutex, Once};
use std::thread::{self, ThreadId};
use std::time::Duration;

use EventKind::{Abandoned, Destroy, EnableSignal, Init, Member, Signaled, WaitEnd, WaitStart};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SHORT: Duration = Duration::from_millis(1);

#[derive(Clone, Debug)]
struct Told {
    kind: EventKind,
    fence: (u64, u64),
    names: String,
    at: Timestamp,
    thread: ThreadId,
}

static TOLD: Mutex<Vec<Told>> = Mutex::new(Vec::new());

type React = Box<dyn Fn(&Event<'_>)>;

thread_local! {
    /// What else the sink does on this thread.
    static REACT: RefCell<Option<React>> = const { RefCell::new(None) };
    /// The sink keeps nothing, and so allocates nothing.
    static DEAF: Cell<bool> = const { Cell::new(false) };
    static HEARD: Cell<usize> = const { Cell::new(0) };
}

struct Keeper;

impl Sink for Keeper {
    fn event(&self, event: &Event<'_>) {
        HEARD.set(HEARD.get() + 1);
        if DEAF.get() {
            return;
        }
        let told = Told {
            kind: event.kind,
            fence: (event.context, event.seqno),
            names: format!("{} {}", event.driver, event.timeline),
            at: event.at,
            thread: thread::current().id(),
        };
        TOLD.lock().unwrap().push(told);
        REACT.with_borrow(|react| react.iter().for_each(|react| react(event)));
    }
}

fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| set_sink(&Keeper).expect("there is no other sink"));
}

/// Runs `f` while the sink also does this on this thread.
fn reacting<T>(react: impl Fn(&Event<'_>) + 'static, f: impl FnOnce() -> T) -> T {
    listen();
    REACT.set(Some(Box::new(react)));
    let result = f();
    REACT.take();
    result
}

/// All that was told of fences of a context, in the order in which it was told.
fn told_of(context: u64) -> Vec<Told> {
    let told = TOLD.lock().unwrap();
    told.iter().filter(|told| told.fence.0 == context).cloned().collect()
}

fn kinds_of(context: u64) -> Vec<EventKind> {
    told_of(context).iter().map(|told| told.kind).collect()
}

fn is_wait(kind: &EventKind) -> bool {
    matches!(kind, WaitStart | WaitEnd)
}

// === what is told ===

#[test]
fn a_life_is_told_from_beginning_to_end() {
    listen();
    let context = FenceContext::hardware("a driver", "ring 0").starting_at(5);
    let before = Timestamp::now();
    let producer = context.new_fence();
    let fence = producer.fence();
    fence.on_signal(|_| ()).unwrap().detach();
    producer.signal(Err(Errno::EIO));
    drop(fence);
    let told = told_of(context.id());
    let kinds: Vec<_> = told.iter().map(|told| told.kind).collect();
    assert_eq!(kinds, [Init, EnableSignal, Signaled(Err(Errno::EIO)), Destroy]);
    for event in &told {
        assert_eq!((event.fence.1, &*event.names), (5, "a driver ring 0"));
        assert_eq!(event.thread, thread::current().id());
    }
    let times: Vec<_> = told.iter().map(|told| told.at).collect();
    assert!(before <= times[0] && times.is_sorted() && times[3] <= Timestamp::now(), "{told:?}");
}

/// A driver may know that the operation ended earlier; the event has the time of its own.
#[test]
fn no_signal_is_told_before_the_fence_was_made() {
    listen();
    let context = software();
    let producer = context.new_fence();
    producer.signal_at(Ok(()), Timestamp::from_nanos(1));
    let told = told_of(context.id());
    assert_eq!(told[1].kind, Signaled(Ok(())));
    assert!(told[0].at <= told[1].at);
}

#[test]
fn a_loss_is_told_and_so_is_the_way_out() {
    listen();
    let context = hardware();
    let fence = context.new_fence().fence();
    assert_eq!(kinds_of(context.id()), [Init, Abandoned]);
    context.declare_idle(Errno::ENODEV);
    drop(fence);
    let all = [Init, Abandoned, Signaled(Err(Errno::ENODEV)), Destroy];
    assert_eq!(kinds_of(context.id()), all);

    let context = software();
    drop(context.new_fence());
    assert_eq!(kinds_of(context.id()), [Init, Signaled(Err(Errno::ECANCELED)), Destroy]);
}

#[test]
fn what_hooks_answer_is_told_once() {
    listen();
    let context = hardware();
    let backend = Backend::polled();
    let producer = context.new_fence_with(backend.clone());
    let fence = producer.fence();
    assert!(!fence.is_signaled());
    backend.finish(Err(Errno::EIO));
    assert!(fence.is_signaled() && fence.is_signaled());
    producer.signal(Ok(()));
    assert_eq!(kinds_of(context.id()), [Init, Signaled(Err(Errno::EIO))]);
    // The context's names: a hook is not asked.
    assert!(told_of(context.id()).iter().all(|told| told.names == "test hardware"));

    let context = hardware();
    let producer = context.new_fence_with(Backend::already_done(Ok(())));
    producer.fence().enable_signaling();
    producer.signal(Err(Errno::EIO));
    assert_eq!(kinds_of(context.id()), [Init, EnableSignal, Signaled(Ok(())), Destroy]);
}

#[test]
fn an_observed_fence_goes_with_its_last_consumer() {
    listen();
    let context = hardware();
    let (producer, fence) = context.new_observed_fence(Backend::silent());
    assert_eq!(kinds_of(context.id()), [Init]);
    drop(fence);
    drop(producer);
    assert_eq!(kinds_of(context.id()), [Init, Destroy], "nobody is there whom the loss concerns");
}

#[test]
fn the_first_who_comes_enables_and_who_only_looks_does_not() {
    listen();
    let first: [fn(&Fence); 4] = [
        |fence| fence.on_signal(|_| ()).unwrap().detach(),
        |fence| fence.on_outcome(|_| ()).unwrap().detach(),
        |fence| assert!(Task::new().poll(&mut fence.into_future()).is_pending()),
        |fence| assert_eq!(fence.wait_timeout(SHORT), Err(WaitError::TimedOut)),
    ];
    for come in first {
        let context = software();
        let producer = context.new_fence();
        let fence = producer.fence();
        assert!(!fence.is_signaled() && fence.wait_timeout(Duration::ZERO).is_err());
        assert_eq!(kinds_of(context.id()), [Init]);
        come(&fence);
        come(&fence);
        let kinds = kinds_of(context.id());
        assert_eq!(kinds.iter().filter(|kind| **kind == EnableSignal).count(), 1, "{kinds:?}");
        producer.signal(Ok(()));
    }
}

// === waits ===

#[test]
fn waits_are_told_in_pairs_whatever_comes_of_them() {
    listen();
    let context = hardware();
    let pairs = |f: &dyn Fn()| {
        let before = kinds_of(context.id()).len();
        f();
        let mut kinds = kinds_of(context.id());
        kinds.drain(..before);
        kinds.retain(is_wait);
        kinds
    };
    let pair = [WaitStart, WaitEnd];
    let producer = context.new_fence();
    let fence = producer.fence();
    let one = std::slice::from_ref(&fence);
    assert_eq!(pairs(&|| assert!(fence.wait_timeout(SHORT).is_err())), pair);
    assert_eq!(pairs(&|| assert!(fence.wait_until(Timestamp::now()).is_err())), []);
    assert_eq!(pairs(&|| assert!(fence.wait_timeout(Duration::ZERO).is_err())), []);
    assert_eq!(pairs(&|| assert!(wait_any_timeout(one, SHORT).is_err())), pair);
    assert_eq!(pairs(&|| assert!(wait_all_timeout(one, SHORT).is_err())), pair);
    let zero = Duration::ZERO;
    assert_eq!(pairs(&|| assert!(wait_any_timeout(one, zero).is_err())), []);
    assert_eq!(pairs(&|| assert!(wait_all_timeout(one, zero).is_err())), []);
    producer.signal(Ok(()));
    assert_eq!(pairs(&|| fence.wait().unwrap()), pair);
    let lost = context.new_fence().fence();
    assert_eq!(pairs(&|| assert!(lost.wait().is_err())), pair);
    let both = [WaitStart, WaitStart, WaitEnd, WaitEnd];
    let fences = [fence.clone(), lost.clone()];
    assert_eq!(pairs(&|| assert_eq!(wait_any(&fences), Some(0))), both);
    assert_eq!(pairs(&|| assert!(wait_all(&fences).is_err())), both);
    context.declare_idle(Errno::EIO);
}

#[test]
fn a_wait_is_told_where_and_while_it_is() {
    listen();
    let context = hardware();
    let producer = context.new_fence();
    let fence = producer.fence();
    let sleeper = thread::spawn(move || (fence.wait(), thread::current().id()).1);
    let started = || told_of(context.id()).into_iter().find(|told| told.kind == WaitStart);
    while started().is_none() {
        thread::yield_now();
    }
    thread::sleep(SHORT);
    assert!(!kinds_of(context.id()).contains(&WaitEnd), "it still sleeps");
    producer.signal(Ok(()));
    let sleeper = sleeper.join().unwrap();
    let told = told_of(context.id());
    let waits: Vec<_> = told.iter().filter(|told| is_wait(&told.kind)).collect();
    assert!(waits.len() == 2 && waits.iter().all(|told| told.thread == sleeper), "{waits:?}");
    assert!(waits[1].at.as_nanos() - waits[0].at.as_nanos() >= SHORT.as_nanos() as u64);
}

#[test]
fn a_wait_that_panics_ends_all_the_same() {
    listen();
    let context = hardware();
    let panics = OnEnable(|_: &Fence| -> Enabled { panic!("a backend") });
    let producer = context.new_fence_with(Arc::new(panics));
    let fence = producer.fence();
    assert!(common::panic_of(|| fence.wait_timeout(SHORT)).is_some());
    let mut kinds = kinds_of(context.id());
    kinds.retain(is_wait);
    assert_eq!(kinds, [WaitStart, WaitEnd]);
    producer.signal(Ok(()));
}

// === containers ===

fn member(fence: &Fence) -> EventKind {
    Member { context: fence.context(), seqno: fence.seqno() }
}

#[test]
fn an_array_tells_its_members() {
    listen();
    let context = hardware();
    let (a, b) = (context.new_fence(), context.new_fence());
    let array = FenceArray::new(vec![a.fence(), Fence::signaled(), b.fence()]).unwrap();
    let id = array.context();
    let begin = vec![Init, member(&a.fence()), member(&b.fence())];
    assert_eq!(kinds_of(id), begin, "a stub is nobody's member");
    let told = told_of(id);
    assert_eq!(told[0].names, "dma_fence_array unbound");
    assert!(told.iter().all(|member| member.at == told[0].at), "it is one moment: {told:?}");
    array.on_signal(|_| ()).unwrap().detach();
    drop(b);
    a.signal(Ok(()));
    assert_eq!(array.status(), Status::Abandoned);
    context.declare_idle(Errno::EIO);
    drop(array);
    let end = vec![EnableSignal, Abandoned, Signaled(Err(Errno::EIO)), Destroy];
    assert_eq!(kinds_of(id), [begin, end].concat());
}

#[test]
fn a_chain_tells_what_it_contains_and_what_is_before() {
    listen();
    let context = hardware();
    let (first, one, two) = (context.new_fence(), context.new_fence(), context.new_fence());
    let head = FenceChain::new(Some(first.fence()), one.fence(), 1).unwrap();
    let (head_fence, id) = (Fence::from(head.clone()), head.context());
    assert_eq!(kinds_of(id), [Init, member(&one.fence()), member(&first.fence())]);
    let next = FenceChain::new(Some(head.into()), two.fence(), 2).unwrap();
    let members: Vec<_> = told_of(id).into_iter().filter(|told| told.fence.1 == 2).collect();
    let members: Vec<_> = members.iter().map(|told| told.kind).collect();
    assert_eq!(members, [Init, member(&two.fence()), member(&head_fence)]);
    drop(head_fence);
    for producer in [first, one, two] {
        producer.signal(Ok(()));
    }
    assert!(next.is_signaled());
    drop(next);
    let count = |kind| kinds_of(id).iter().filter(|told| **told == kind).count();
    assert_eq!(count(Destroy), 2);
    assert_eq!(count(Signaled(Ok(()))), 1, "nobody asked for the first point alone");
}

#[test]
fn a_long_chain_is_told_of_on_a_small_stack() {
    listen();
    let points = rounds(20_000, 100);
    let id = in_time_with_stack(128 << 10, move || {
        let context = hardware();
        let producer = context.new_fence();
        let mut head = FenceChain::new(None, producer.fence(), 1).unwrap();
        for seqno in 2..=points as u64 {
            head = FenceChain::new(Some(head.into()), producer.fence(), seqno).unwrap();
        }
        producer.signal(Ok(()));
        head.context()
    });
    let kinds = kinds_of(id);
    assert_eq!(kinds.iter().filter(|kind| **kind == Destroy).count(), points);
}

#[test]
fn stubs_tell_nothing() {
    listen();
    let before = HEARD.get();
    let stub = Fence::signaled();
    stub.wait().unwrap();
    drop(stub);
    let own = Fence::signaled_with(Signal { result: Ok(()), timestamp: Timestamp::ZERO });
    drop(merge([own]));
    assert_eq!(HEARD.get(), before);
}

// === where and when ===

/// The sink asks for everything: a lock of the library would hang it.
#[test]
fn events_are_told_under_no_lock_and_after_the_state_is_visible() {
    in_time(|| {
        let context = hardware();
        let (lost, producer) = (context.new_fence(), context.new_fence());
        let lost_fence = lost.fence();
        let array = FenceArray::new(vec![producer.fence(), lost.fence()]).unwrap();
        let fences = [lost.fence(), producer.fence(), array.clone().into()];
        let states = Log::new();
        let seen = states.clone();
        let ask = move |event: &Event<'_>| {
            for fence in &fences {
                assert!(!fence.describe().to_string().is_empty());
                drop(fence.on_outcome(|_| ()));
                drop(fence.clone());
            }
            let asked = fences
                .iter()
                .find(|fence| fence.context() == event.context && fence.seqno() == event.seqno);
            seen.push((event.kind, asked.map(Fence::status)));
            _ = Fence::signaled();
        };
        let called = Log::new();
        let call = called.clone();
        reacting(ask, || {
            array.on_outcome(move |_| call.push(())).unwrap().detach();
            drop(lost);
            assert_eq!(called.take().len(), 1);
            producer.signal(Ok(()));
            drop(FenceChain::new(None, lost_fence.clone(), 1).unwrap());
            assert!(lost_fence.wait().is_err());
            context.declare_idle(Errno::EIO);
        });
        for (kind, status) in states.take() {
            match (kind, status) {
                (Abandoned, Some(status)) => assert_eq!(status, Status::Abandoned),
                (Signaled(result), Some(status)) => {
                    assert!(matches!(status, Status::Signaled(signal) if signal.result == result));
                }
                _ => {}
            }
        }
    });
}

#[test]
fn callbacks_are_called_after_it_was_told() {
    listen();
    for lose in [true, false] {
        let context = hardware();
        let (producer, id) = (context.new_fence(), context.id());
        let seen = Log::new();
        let at_call = seen.clone();
        let look = move |_: &_| at_call.push(kinds_of(id).last().copied());
        producer.fence().on_outcome(look).unwrap().detach();
        if lose {
            drop(producer)
        } else {
            producer.signal(Ok(()))
        }
        let last = if lose { Abandoned } else { Signaled(Ok(())) };
        assert_eq!(seen.take(), [Some(last)]);
        context.declare_idle(Errno::EIO);
    }
}

/// On many threads each fence is told of once, and nothing that follows is earlier than its cause.
#[test]
fn the_times_tell_the_order() {
    listen();
    for _ in 0..rounds(200, 5) {
        let context = hardware();
        let producers = [context.new_fence(), context.new_fence()];
        let array = FenceArray::new(producers.iter().map(DriverFence::fence).collect()).unwrap();
        let members: Vec<_> = producers.iter().map(|p| (p.context(), p.seqno())).collect();
        thread::scope(|scope| {
            for producer in producers {
                scope.spawn(move || producer.signal(Ok(())));
            }
            scope.spawn(|| while !array.is_signaled() {});
            array.wait().unwrap();
        });
        let id = array.context();
        drop(array);
        let told = [told_of(id), told_of(context.id())].concat();
        let time = |fence: (u64, u64), kind: EventKind| {
            let mut found = told.iter().filter(|told| told.fence == fence && told.kind == kind);
            let at = found.next().expect("it is told").at;
            assert!(found.next().is_none(), "{fence:?} {kind:?} twice");
            at
        };
        let signaled = time((id, 1), Signaled(Ok(())));
        for member in members {
            assert!(time(member, Init) <= time(member, Signaled(Ok(()))));
            assert!(time(member, Signaled(Ok(()))) <= signaled, "the array was earlier");
        }
        assert!(time((id, 1), WaitStart) <= time((id, 1), WaitEnd));
        assert!(signaled <= time((id, 1), WaitEnd), "the wait ended before");
        assert!(signaled <= time((id, 1), Destroy));
    }
}

// === what the sink may do ===

#[test]
fn what_the_sink_does_is_not_told() {
    in_time(|| {
        let (context, inside) = (hardware(), software());
        let id = inside.id();
        let make = move |_: &Event<'_>| {
            let producer = inside.new_fence();
            let fence = producer.fence();
            producer.signal(Ok(()));
            fence.wait().unwrap();
        };
        reacting(make, || context.new_fence().signal(Ok(())));
        assert_eq!(kinds_of(id), []);
        assert_eq!(kinds_of(context.id()), [Init, Signaled(Ok(())), Destroy]);
    });
}

#[test]
fn a_panic_ends_in_the_sink() {
    let context = hardware();
    let called = Log::new();
    reacting(
        |_| panic!("a sink"),
        || {
            let producer = context.new_fence();
            let fence = producer.fence();
            for _ in 0..2 {
                let call = called.clone();
                fence.on_signal(move |_| call.push(())).unwrap().detach();
            }
            producer.signal(Ok(()));
            fence.wait().unwrap();
            // A drop while the thread unwinds must not panic.
            let unwinds = || {
                let _producer = software().new_fence();
                panic!("somebody else")
            };
            assert!(common::panic_of::<()>(unwinds).is_some());
        },
    );
    assert_eq!(called.take().len(), 2);
    let all = [Init, EnableSignal, Signaled(Ok(())), WaitStart, WaitEnd, Destroy];
    assert_eq!(kinds_of(context.id()), all, "it is told of what follows");
}

#[test]
fn telling_allocates_nothing() {
    listen();
    let context = hardware();
    let (producer, last, lost) = (context.new_fence(), context.new_fence(), context.new_fence());
    let fence = producer.fence();
    let array = FenceArray::new(vec![last.fence(), producer.fence()]).unwrap();
    array.on_signal(|_| ()).unwrap().detach();
    drop(array);
    DEAF.set(true);
    let heard = HEARD.get();
    let allocated = allocations(|| {
        producer.signal(Ok(()));
        last.signal(Ok(()));
        drop(lost);
        fence.wait().unwrap();
        context.declare_idle(Errno::EIO);
    });
    assert_eq!((allocated, HEARD.get() - heard > 8), (0, true));
    DEAF.set(false);
}

#[test]
fn there_is_one_sink() {
    listen();
    assert_eq!(set_sink(&Keeper), Err(SinkIsSet));
    assert!(!SinkIsSet.to_string().is_empty());
}
