//! The process-wide record: what, where, on which thread.
#![cfg(all(feature = "std", not(loom)))]

mod common;

use common::{hardware, lost};
use dma_fence::taint::{self, Kind, Record};
use dma_fence::{DriverFence, Errno, FenceAllocation, FenceContext};
use std::panic::Location;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The record is the process's, and some tests fill it or listen to it: one at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn record_of(name: (u64, u64)) -> Record {
    taint::recent().into_iter().find(|record| record.fence() == Some(name)).unwrap()
}

fn lose(producer: DriverFence) -> Record {
    let name = (producer.context(), producer.seqno());
    drop(producer);
    record_of(name)
}

#[track_caller]
fn here() -> &'static Location<'static> {
    Location::caller()
}

#[test]
fn a_loss_is_recorded_with_names_and_the_place_where_the_producer_was_made() {
    let _alone = alone();
    let context = FenceContext::hardware("gpu", "ring 0");
    let (producer, made) = (context.new_fence(), here());
    let (id, seqno) = (producer.context(), producer.seqno());
    let record = lose(producer);
    assert_eq!(record.kind(), Kind::Abandoned);
    assert_eq!((record.driver_name(), record.timeline_name()), (Some("gpu"), Some("ring 0")));
    assert_eq!(record.location().file(), file!());
    assert_eq!(record.location().line(), made.line());
    assert_eq!(record.leaked_bytes(), None);
    let line = record.to_string();
    assert!(line.contains(&format!("gpu ring 0 {id}:{seqno}")), "{line}");
    assert!(line.contains(&record.location().to_string()), "{line}");
    assert!(!line.contains('\n') && taint::is_tainted());
    context.declare_idle(Errno::EIO);
}

#[test]
fn every_way_to_make_a_producer_tells_where() {
    let _alone = alone();
    struct NoHooks;
    impl dma_fence::FenceOps for NoHooks {}
    let context = hardware();
    let ops = || std::sync::Arc::new(NoHooks);
    let memory = || FenceAllocation::new().unwrap();
    let made = [
        (context.new_fence(), here()),
        (context.new_fence_with(ops()), here()),
        (context.init_fence(memory()), here()),
        (context.init_fence_with(memory(), ops()), here()),
    ];
    for (producer, place) in made {
        let location = lose(producer).location();
        assert_eq!((location.file(), location.line()), (place.file(), place.line()));
    }
    context.declare_idle(Errno::EIO);
}

#[test]
fn a_leak_is_recorded_where_it_was_given_up() {
    let _alone = alone();
    let before = taint::counts();
    taint::record_leak("a ring buffer", 3);
    let line = line!() - 1;
    let now = taint::counts();
    assert!(now.leaks > before.leaks && now.leaked_bytes >= before.leaked_bytes + 3);
    let record = taint::recent().into_iter().find(|record| record.leaked_bytes() == Some(3));
    let record = record.unwrap();
    assert_eq!((record.kind(), record.fence()), (Kind::Leak, None));
    assert_eq!((record.location().file(), record.location().line()), (file!(), line));
    assert!(record.to_string().contains("a ring buffer"));
}

#[test]
fn an_early_signal_is_recorded_where_the_fence_was_exported() {
    let _alone = alone();
    let before = taint::counts().early_signals;
    let fence = (u64::MAX, 7);
    taint::record_early_signal(fence, here());
    let line = line!() - 1;
    assert!(taint::counts().early_signals > before);
    let record = record_of(fence);
    assert_eq!(record.kind(), Kind::EarlySignal);
    assert_eq!((record.location().file(), record.location().line()), (file!(), line));
    assert!(record.to_string().contains(&format!("{}:7", u64::MAX)));
}

/// Under Miri the system sees the interpreter's thread.
#[cfg(all(target_os = "linux", not(miri)))]
#[test]
fn the_thread_that_lost_it_is_named_and_whether_it_panicked() {
    let _alone = alone();
    let lose_on = |name: &str, panics: bool| {
        let producer = hardware().new_fence();
        let fence = (producer.context(), producer.seqno());
        let body = move || {
            let _producer = producer;
            assert!(!panics, "the producer is lost while this unwinds");
        };
        let joined = std::thread::Builder::new().name(name.into()).spawn(body).unwrap().join();
        assert_eq!(joined.is_err(), panics);
        record_of(fence)
    };
    let calm = lose_on("ring worker", false);
    assert_eq!(calm.thread(), Some("ring worker"));
    assert!(!calm.thread_was_panicking() && !calm.to_string().contains("panicking"));
    // Cut by the system after 15 bytes, here in the middle of a character.
    let wild = lose_on("a long worker \u{e9}l\u{e9}gant", true);
    assert_eq!(wild.thread(), Some("a long worker "));
    assert!(wild.thread_was_panicking());
    assert!(wild.to_string().ends_with("on thread a long worker , which was panicking"));
    let nobody = [lose_on("", false), lose_on("", true)];
    assert_eq!(nobody.each_ref().map(Record::thread), [None, None]);
    let [calm, wild] = nobody.map(|record| record.to_string());
    assert!(calm.ends_with("lost its producer before it signaled"), "{calm}");
    assert!(wild.ends_with("signaled, on a thread, which was panicking"), "{wild}");
}

#[test]
fn the_newest_records_replace_the_oldest() {
    let _alone = alone();
    let context = hardware();
    let first = lost(&context);
    (0..taint::KEPT).for_each(|_| drop(lost(&context)));
    let records = taint::recent();
    assert_eq!(records.len(), taint::KEPT);
    let name = Some((first.context(), first.seqno()));
    assert!(records.iter().all(|record| record.fence() != name));
    assert!(records.is_sorted_by_key(|record| record.timestamp()));
    context.declare_idle(Errno::EIO);
}

#[cfg(feature = "tracing")]
mod logged {
    use super::{alone, hardware, lose, taint};
    use crate::common::{OnPoll, lost, panic_of};
    use dma_fence::{Errno, Status};
    use std::collections::BTreeMap;
    use std::fmt::Debug;
    use std::sync::{Arc, Mutex};
    use std::thread;
    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Level, Metadata, Subscriber, subscriber};

    type Fields = BTreeMap<&'static str, String>;

    /// Calls with the fields of each warning.
    struct Log<F>(F);
    struct Read(Fields);

    impl Visit for Read {
        fn record_str(&mut self, field: &Field, value: &str) {
            self.0.insert(field.name(), value.into());
        }
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            self.0.insert(field.name(), format!("{value:?}"));
        }
    }

    fn keeping(kept: &Arc<Mutex<Vec<Fields>>>) -> Log<impl Fn(Fields) + Send + Sync + 'static> {
        let kept = kept.clone();
        Log(move |fields| kept.lock().unwrap().push(fields))
    }

    impl<F: Fn(Fields) + Send + Sync + 'static> Subscriber for Log<F> {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            *metadata.level() == Level::WARN
        }
        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, event: &Event<'_>) {
            let mut read = Read(Fields::new());
            event.record(&mut read);
            (self.0)(read.0);
        }
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn a_log_that_panics_keeps_nobody_from_hearing_of_the_loss() {
        let _alone = alone();
        let broken: Arc<Mutex<Vec<Fields>>> = Arc::default();
        let poison = broken.clone();
        thread::spawn(move || {
            let _poisoned = poison.lock();
            panic!("while it holds the lock of the log");
        })
        .join()
        .unwrap_err();
        let context = hardware();
        let (producer, before) = (context.new_fence(), taint::counts().abandoned);
        let fence = producer.fence();
        let panic = subscriber::with_default(keeping(&broken), || panic_of(|| drop(producer)));
        assert!(panic.is_some());
        assert_eq!((fence.status(), taint::counts().abandoned), (Status::Abandoned, before + 1));
        let name = Some((fence.context(), fence.seqno()));
        assert!(taint::recent().iter().any(|record| record.fence() == name));
        context.declare_idle(Errno::EIO);
    }

    /// A log may ask the fence, as any other thread may meanwhile, and its backend may know.
    #[test]
    fn what_signals_while_its_loss_is_recorded_is_not_abandoned() {
        let _alone = alone();
        let context = hardware();
        let earlier = lost(&context);
        let producer = context.new_fence_with(Arc::new(OnPoll(|| Some(Ok(())))));
        let fence = producer.fence();
        let later = context.new_fence();
        let ask = fence.clone();
        subscriber::with_default(Log(move |_| assert!(ask.is_signaled())), || drop(producer));
        assert!(matches!(fence.status(), Status::Signaled(_)));
        assert_eq!(context.abandoned(), 1, "the earlier one");
        drop(later);
        assert_eq!(context.declare_idle(Errno::EIO), 2);
        assert!(earlier.is_signaled());
    }

    #[test]
    fn each_event_is_a_warning_with_its_fields() {
        let _alone = alone();
        let kept: Arc<Mutex<Vec<Fields>>> = Arc::default();
        let (line, record) = subscriber::with_default(keeping(&kept), || {
            taint::record_leak("a page", 4096);
            (line!() - 1, lose(hardware().new_fence()))
        });
        let events = kept.lock().unwrap();
        let [leak, loss] = &events[..] else { panic!("{events:?}") };
        assert_eq!(leak["kind"], "leak");
        assert!(leak["location"].starts_with(&format!("{}:{line}:", file!())), "{leak:?}");
        assert!(!leak.contains_key("context"));
        let (context, seqno) = record.fence().unwrap();
        assert_eq!(loss["kind"], "abandoned");
        assert_eq!((&*loss["driver"], &*loss["timeline"]), ("test", "hardware"));
        assert_eq!((&loss["context"], &loss["seqno"]), (&context.to_string(), &seqno.to_string()));
        assert_eq!(loss["location"], record.location().to_string());
        assert_eq!(loss.get("thread").map(|name| &**name), record.thread());
        assert_eq!(loss["message"], record.to_string());
    }
}
