//! The operations, and their form as bytes.
//!
//! An operation is four bytes: what, and three operands. Any four bytes are one, so a fuzzer's mutation of
//! a program is a program; a first byte of zero is none, so making bytes smaller takes steps away.
//!
//! Operands name *slots*. An operation on an empty slot does nothing; one that fills a slot drops what
//! was there. So a program stays one when steps are taken out of it.

#![allow(missing_docs, reason = "operands are named after what they are")]

use dma_fence::{ContextKind, Errno, SeqnoOrder, Usage};
use std::fmt;

/// How many slots there are for handles, for producers, and for callbacks.
pub const SLOTS: usize = 8;
/// How many slots there are for futures.
pub const FUTURES: usize = 4;
/// How many reservation objects there are.
pub const OBJECTS: usize = 2;

/// The contexts of every program, each with its first number; 32 bits soon wrap.
pub const CONTEXTS: [(ContextKind, SeqnoOrder, u64); 5] = [
    (ContextKind::Hardware, SeqnoOrder::Bits64, 1),
    (ContextKind::Hardware, SeqnoOrder::Bits64, 7),
    (ContextKind::Hardware, SeqnoOrder::Bits32, u32::MAX as u64 - 1),
    (ContextKind::Hardware, SeqnoOrder::Unordered, 1),
    (ContextKind::Software, SeqnoOrder::Bits64, 1),
];

/// Input/output error; a constant here, so that a program printed by a failure is code.
pub const EIO: Errno = Errno::EIO;
/// No such device.
pub const ENODEV: Errno = Errno::ENODEV;
/// Timer expired.
pub const ETIME: Errno = Errno::ETIME;

/// One step of a program.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Op {
    /// Makes a fence; its producer and a handle go into the slots `at`.
    Fence { at: usize, context: usize, backend: Backend },
    /// Makes an array, on a context of its own or on that one.
    Array { at: usize, members: Slots, context: Option<usize> },
    /// Makes a chain node.
    Chain { at: usize, prev: Option<usize>, fence: usize, seqno: u64 },
    /// Makes a fence that has signaled from the start.
    Stub { at: usize, error: Option<Errno>, time: u64 },
    /// Merges.
    Merge { at: usize, fences: Slots },
    /// Removes duplicates and what is superseded.
    Dedup { fences: Slots },
    /// Unwraps.
    Leaves { fence: usize },
    /// Goes along a chain.
    Points { fence: usize },
    /// Looks for a point of a chain; what signals it goes into the slot `at`.
    FindSeqno { at: usize, fence: usize, seqno: u64 },
    /// Signals.
    Signal { producer: usize, error: Option<Errno>, time: u64 },
    /// The operation has ended, and so far only the fence's backend knows.
    Finish { producer: usize, error: Option<Errno> },
    /// Drops a producer.
    Lose { producer: usize },
    /// Declares a context idle.
    DeclareIdle { context: usize, error: Errno },
    /// Registers a callback that does `then`.
    On { interest: Interest, fence: usize, at: usize, then: Then },
    /// Takes a callback back, and asks whether it had run.
    Cancel { callback: usize },
    /// Drops a callback's guard.
    Forget { callback: usize },
    /// Lets a callback run without a guard.
    Detach { callback: usize },
    /// Makes a future.
    Future { at: usize, fence: usize },
    /// Polls a future; drops it if it is ready.
    Poll { future: usize },
    /// Drops a future.
    DropFuture { future: usize },
    /// Clones a handle.
    Clone { from: usize, to: usize },
    /// Drops a handle.
    Drop { fence: usize },
    /// Asks a fence whether it has signaled, and for its status.
    Ask { fence: usize },
    /// Enables signaling, as a first waiter does.
    Enable { fence: usize },
    /// Waits for no time.
    Wait { fence: usize },
    /// Waits for any, for no time.
    WaitAny { fences: Slots },
    /// Waits for all, for no time.
    WaitAll { fences: Slots },
    /// Sets a deadline.
    Deadline { fence: usize, time: u64 },
    /// Asks which of two comes later.
    Later { a: usize, b: usize },
    /// Locks a reservation object, reserves slots, and adds fences.
    Add { object: usize, usage: Usage, reserve: usize, fences: Slots },
    /// Asks a reservation object everything that it answers without changing.
    AskObject { object: usize, usage: Usage },
    /// One fence for all of a reservation object.
    Singleton { at: usize, object: usize, usage: Usage },
}

/// The hooks of a fence.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Backend {
    /// It has none.
    Absent,
    /// It hears that signaling is enabled, and of deadlines.
    Silent,
    /// So does this one, and it knows first when the operation has ended.
    Polled,
    /// Asked to enable signaling, it says that the operation has ended like this.
    Done(Option<Errno>),
}

/// When a callback runs.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Interest {
    /// At the signal.
    Signal,
    /// At the signal or the abandonment.
    Outcome,
}

/// What a callback owns, and does when it runs.
///
/// It takes a producer only if that one's fence was made after the fence waited for: jobs wait for older
/// ones, so no program waits for itself.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Then {
    /// Nothing.
    Nothing,
    /// Signals the producer of this slot.
    Signal { producer: usize, error: Option<Errno>, time: u64 },
    /// Loses the producer of this slot.
    Lose { producer: usize },
    /// Drops the handle of this slot.
    Drop { fence: usize },
}

/// A set of slots, one bit each.
#[derive(Clone, Copy, PartialEq)]
pub struct Slots(pub u8);

impl Slots {
    /// The slots in it, rising.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..SLOTS).filter(move |slot| self.0 >> slot & 1 == 1)
    }
}

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slots({:#b})", self.0)
    }
}

/// Steps, one after the other. Printed it is code.
#[derive(Clone, PartialEq)]
pub struct Program(pub Vec<Op>);

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[\n")?;
        self.0.iter().try_for_each(|op| writeln!(f, "    {op:?},"))?;
        f.write_str("]")
    }
}

/// The program that the bytes stand for; less than four at the end are ignored.
pub fn decode(bytes: &[u8]) -> Program {
    decode_with(bytes, Op::from_bytes)
}

/// As [`decode`], only of what makes, merges and takes apart nestings, and decides what is in them.
pub fn decode_nestings(bytes: &[u8]) -> Program {
    const WHATS: [u8; 24] =
        [0, 1, 1, 1, 1, 7, 7, 10, 10, 10, 13, 14, 14, 51, 16, 16, 17, 18, 19, 20, 20, 24, 25, 53];
    decode_with(bytes, |[what, a, b, c]| Op::from_bytes([WHATS[index(what, WHATS.len())], a, b, c]))
}

fn decode_with(bytes: &[u8], op: impl Fn([u8; 4]) -> Option<Op>) -> Program {
    Program(bytes.as_chunks().0.iter().copied().filter_map(op).collect())
}

impl Op {
    /// The operation that four bytes stand for. Those that lead somewhere have more than one number.
    pub fn from_bytes([what, a, b, c]: [u8; 4]) -> Option<Op> {
        let (low, high) = (slot(a), slot(a >> 3));
        Some(match what % 56 {
            0 => return None,
            1..=6 => Op::Fence { at: low, context: index(b, CONTEXTS.len()), backend: backend(c) },
            7..=9 => Op::Array {
                at: low,
                members: Slots(b),
                context: (c >= 0xc0).then_some(index(c, CONTEXTS.len())),
            },
            10..=12 => Op::Chain {
                at: low,
                prev: (a < 0xc0).then_some(high),
                fence: slot(b),
                seqno: u64::from(c % 16),
            },
            13 => Op::Stub { at: low, error: error(b), time: time(c) },
            14 | 15 => Op::Merge { at: low, fences: Slots(b) },
            16 => Op::Dedup { fences: Slots(b) },
            17 => Op::Leaves { fence: low },
            18 => Op::Points { fence: low },
            19 => Op::FindSeqno { at: low, fence: high, seqno: u64::from(c % 16) },
            20..=23 => Op::Signal { producer: low, error: error(b), time: time(c) },
            24 => Op::Lose { producer: low },
            25 => {
                let error = error(b).unwrap_or(EIO);
                Op::DeclareIdle { context: index(a, CONTEXTS.len()), error }
            }
            26..=30 => {
                let interest = if a < 0x80 { Interest::Signal } else { Interest::Outcome };
                Op::On { interest, fence: low, at: high, then: then(b, c) }
            }
            31 => Op::Cancel { callback: low },
            32 => Op::Forget { callback: low },
            33 => Op::Detach { callback: low },
            34 => Op::Future { at: index(a >> 3, FUTURES), fence: low },
            35 | 36 => Op::Poll { future: index(a, FUTURES) },
            37 => Op::DropFuture { future: index(a, FUTURES) },
            38 => Op::Clone { from: low, to: high },
            39 => Op::Drop { fence: low },
            40 => Op::Wait { fence: low },
            41 => Op::Enable { fence: low },
            42 => Op::Later { a: low, b: high },
            43..=45 => Op::Add {
                object: index(a, OBJECTS),
                usage: usage(a >> 1),
                reserve: index(b, 4),
                fences: Slots(c),
            },
            46 => Op::AskObject { object: index(a, OBJECTS), usage: usage(b) },
            47 => Op::Singleton { at: low, object: index(b, OBJECTS), usage: usage(c) },
            48 => Op::WaitAny { fences: Slots(b) },
            49 => Op::WaitAll { fences: Slots(b) },
            50 => Op::Deadline { fence: low, time: time(c) },
            51 | 52 => Op::Finish { producer: low, error: error(b) },
            _ => Op::Ask { fence: low },
        })
    }
}

fn index(byte: u8, len: usize) -> usize {
    usize::from(byte) % len
}

fn slot(byte: u8) -> usize {
    index(byte, SLOTS)
}

/// Few different times, so that some are equal.
fn time(byte: u8) -> u64 {
    u64::from(byte % 8)
}

fn error(byte: u8) -> Option<Errno> {
    [None, Some(EIO), Some(ENODEV), Some(ETIME)][index(byte, 4)]
}

fn backend(byte: u8) -> Backend {
    match byte % 8 {
        0..4 => Backend::Absent,
        4 => Backend::Silent,
        5 | 6 => Backend::Polled,
        _ => Backend::Done(error(byte >> 3)),
    }
}

fn usage(byte: u8) -> Usage {
    [Usage::Kernel, Usage::Write, Usage::Read, Usage::Bookkeep][index(byte, 4)]
}

fn then(b: u8, c: u8) -> Then {
    let named = slot(b >> 2);
    match b % 4 {
        0 => Then::Nothing,
        1 => Then::Signal { producer: named, error: error(c >> 3), time: time(c) },
        2 => Then::Lose { producer: named },
        _ => Then::Drop { fence: named },
    }
}
