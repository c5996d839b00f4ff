//! How a program ends: with nothing undecided and nothing left.

use super::check::{Check, same};
use super::{World, heap};
use crate::model::FenceModel;
use crate::op::{CONTEXTS, FUTURES, OBJECTS, Op, SLOTS};
use dma_fence::{Errno, ReservationObject, Signal, Status, Timestamp};

/// What goes first.
#[derive(Clone, Copy)]
pub(super) enum End {
    /// Everything is decided, and asked once more.
    Decided,
    /// Everything but the producers is let go, so nothing but its fence may hang on a producer.
    LetGo,
}

impl World {
    pub(super) fn end(mut self, end: End) -> Check {
        if let End::LetGo = end {
            self.let_go()?;
            self.signal_alone()?;
        }
        self.decide()?;
        for fence in 0..SLOTS {
            self.checked(Op::Ask { fence })?;
        }
        let undecided =
            |fence: &&FenceModel| fence.is_plain() && !matches!(fence.life, Status::Signaled(_));
        same("undecided fences", 0, self.model.fences.iter().filter(undecided).count())?;
        let World { owned, probes, contexts, handles, guards, futures, objects, .. } = self;
        drop((handles, guards, futures, objects, contexts));
        same("closures left", 0, owned.values().filter(|it| it.strong_count() > 0).count())?;
        same("backends left", 0, probes.iter().filter(|probe| probe.is_alive()).count())
    }

    fn decide(&mut self) -> Check {
        for producer in 0..SLOTS {
            self.checked(Op::Signal { producer, error: None, time: 0 })?;
        }
        while let Some(context) =
            (0..CONTEXTS.len()).find(|&context| !self.model.abandoned(context).is_empty())
        {
            self.checked(Op::DeclareIdle { context, error: Errno::EIO })?;
        }
        Ok(())
    }

    fn let_go(&mut self) -> Check {
        for slot in 0..SLOTS {
            self.checked(Op::Forget { callback: slot })?;
            self.checked(Op::Drop { fence: slot })?;
        }
        for future in 0..FUTURES {
            self.checked(Op::DropFuture { future })?;
        }
        for object in 0..OBJECTS {
            self.objects[object] = ReservationObject::new();
            self.model.objects[object].clear();
        }
        Ok(())
    }

    /// Signals what has a producer. One allocation goes, the fence (we watch the backend, which keeps its
    /// memory); unless detached callbacks still wait, which may own anything.
    fn signal_alone(&mut self) -> Check {
        if self.model.is_anything_detached() {
            return Ok(());
        }
        for slot in 0..SLOTS {
            let Some((id, producer)) = self.take_producer(slot) else { continue };
            let freed = -heap::growth(|| producer.signal_at(Ok(()), Timestamp::ZERO));
            same(format_args!("allocations that hang on {id}"), 1, freed)?;
            self.model.complete(id, Signal { result: Ok(()), timestamp: Timestamp::ZERO });
            self.model.drain();
        }
        Ok(())
    }
}
