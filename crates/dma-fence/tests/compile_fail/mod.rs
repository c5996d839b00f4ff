//! What cannot be written down: `cargo test --doc`.

#[macro_use]
mod refused;

refused! {
    /// Signaling consumes the producer.
    SignalTwice, "E0382",
    "let producer = dma_fence::FenceContext::software(\"a\", \"b\").new_fence();
     producer.signal(Ok(()));",
    "producer.signal(Ok(()));"
}

refused! {
    /// An error is an argument of the signal; there is nothing to set it on afterwards.
    ErrorAfterSignal, "E0599",
    "let producer = dma_fence::FenceContext::software(\"a\", \"b\").new_fence();
     let fence = producer.fence();
     producer.signal(Ok(()));",
    "fence.signal(Err(dma_fence::Errno::EIO));"
}

refused! {
    ProducerAfterSignal, "E0382",
    "let producer = dma_fence::FenceContext::software(\"a\", \"b\").new_fence();
     producer.signal(Ok(()));",
    "producer.fence();"
}

refused! {
    CloneProducer, "E0599",
    "let producer = dma_fence::FenceContext::software(\"a\", \"b\").new_fence();",
    "let second = producer.clone();"
}

refused! {
    /// Whoever waits for a fence can never signal it.
    ProducerFromFence, "E0277",
    "let fence = dma_fence::FenceContext::software(\"a\", \"b\").new_fence().fence();",
    "let producer: dma_fence::DriverFence = fence.into();"
}

refused! {
    /// Nor can one be put together from its parts.
    ProducerFromParts, "E0451",
    "let fence = dma_fence::FenceContext::software(\"a\", \"b\").new_fence().fence();",
    "let producer = dma_fence::DriverFence { fence: Some(fence) };"
}

refused! {
    CancelTwice, "E0382",
    "let producer = dma_fence::FenceContext::software(\"a\", \"b\").new_fence();
     let callback = producer.fence().on_signal(|_| ()).unwrap();
     callback.cancel();",
    "callback.cancel();"
}

refused! {
    CancelDetached, "E0382",
    "let producer = dma_fence::FenceContext::software(\"a\", \"b\").new_fence();
     let callback = producer.fence().on_signal(|_| ()).unwrap();
     callback.detach();",
    "callback.cancel();"
}

refused! {
    /// A callback runs on whatever thread signals.
    CallbackOfOneThread, "E0277",
    "let fence = dma_fence::FenceContext::software(\"a\", \"b\").new_fence().fence();
     let own = std::rc::Rc::new(());",
    "let _ = fence.on_signal(move |_| drop(own));"
}

refused! {
    /// A lock is given back by the thread that took it.
    SendGuard, "E0277",
    "let object = dma_fence::ReservationObject::new();
     let guard = object.lock();",
    "std::thread::scope(|scope| { scope.spawn(move || drop(guard)); });"
}

refused! {
    AddAfterUnlock, "E0382",
    "let object = dma_fence::ReservationObject::new();
     let fence = dma_fence::FenceContext::software(\"a\", \"b\").new_fence().fence();
     let mut guard = object.lock();
     guard.reserve(1).unwrap();
     drop(guard);",
    "let _ = guard.add(&fence, dma_fence::Usage::Write);"
}

refused! {
    DropLockedObject, "E0505",
    "let object = dma_fence::ReservationObject::new();
     let mut guard = object.lock();",
    "drop(object); guard.reserve(1);"
}

refused! {
    /// An allocation becomes one fence.
    InitTwice, "E0382",
    "let context = dma_fence::FenceContext::software(\"a\", \"b\");
     let memory = dma_fence::FenceAllocation::new().unwrap();
     let producer = context.init_fence(memory);",
    "let second = context.init_fence(memory);"
}
