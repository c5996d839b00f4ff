//! `dma-fence info` about the fences of a real kernel.

#[path = "../../dma-fence-linux/tests/common/mod.rs"]
mod common;

use std::{
    os::fd::{AsFd, AsRawFd},
    process::Command,
};

use common::{is_signaled, or_skip};
use dma_fence_linux::{DmaBuf, DrmDevice, Vgem, VgemBuffer};
use serde_json::{Value, json};

/// Runs `dma-fence info ARGS`, which has to succeed.
#[track_caller]
fn info(args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dma-fence"));
    let output = command.arg("info").args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What it says of one file descriptor of this process, as JSON and as text.
#[track_caller]
fn info_of(fd: impl AsFd) -> (Value, String) {
    let (pid, fd) = (std::process::id().to_string(), fd.as_fd().as_raw_fd().to_string());
    let args = ["--pid", &pid, "--fd", &fd, "--json"];
    let mut report: Value = serde_json::from_str(&info(&args)).unwrap();
    (report["fds"][0].take(), info(&args[..4]))
}

fn vgem_buffer(vgem: &Vgem) -> (VgemBuffer, DmaBuf) {
    let buffer = vgem.new_buffer(8192).unwrap();
    let dma_buf = DmaBuf::new(buffer.dma_buf().unwrap()).unwrap();
    (buffer, dma_buf)
}

fn pending() -> Value {
    json!({ "driver": "vgem", "timeline": "unbound", "status": "pending", "errno": null, "signaled_seconds_ago": null })
}

#[test]
fn a_sync_file() {
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let (first, first_file) = vgem.new_fence().unwrap();
    let (second, second_file) = vgem.new_fence().unwrap();
    let merged = first_file.merge(&second_file, "both of them").unwrap();
    first.signal().unwrap();
    let (json, text) = info_of(&merged);
    assert_eq!((&json["kind"], &json["name"]), (&"sync_file".into(), &"both of them".into()));
    assert_eq!((&json["status"], &json["errno"]), (&"pending".into(), &Value::Null));
    let fences = json["fences"].as_array().unwrap();
    assert_eq!(fences.iter().filter(|fence| **fence == pending()).count(), 1, "{json}");
    assert!(text.contains("pending, named 'both of them'"), "{text}");

    assert!(!is_signaled(&second_file), "asking signals nothing");
    second.signal().unwrap();
    let (json, text) = info_of(&merged);
    assert_eq!(json["status"], "signaled");
    assert!(json["signaled_seconds_ago"].as_f64().unwrap() >= 0.0, "{json}");
    assert!(text.contains("signaled, ") && text.contains(" s ago"), "{text}");
}

#[test]
fn a_dma_buffer() {
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let (buffer, dma_buf) = vgem_buffer(&vgem);
    dma_buf.set_name("back buffer").unwrap();
    let waits = |json: &Value| [json["read_waits_for"].clone(), json["write_waits_for"].clone()];
    let (json, text) = info_of(&dma_buf);
    assert_eq!(
        (&json["kind"], &json["name"], &json["size"]),
        (&"dma_buf".into(), &"back buffer".into(), &8192.into())
    );
    assert_eq!(json["inode"], dma_buf.inode().unwrap());
    assert_eq!(json["exporter"], dma_buf.info().unwrap().exporter);
    assert_eq!(waits(&json), [json!([]), json!([])]);
    assert!(text.contains("a writer waits for nothing"), "{text}");
    for (write, reader) in [(true, json!([pending()])), (false, json!([]))] {
        let fence = buffer.attach(write).unwrap();
        let (json, text) = info_of(&dma_buf);
        assert_eq!(waits(&json), [reader, json!([pending()])]);
        assert!(text.contains("a writer waits for vgem unbound"), "{text}");
        fence.signal().unwrap();
    }
}

#[test]
fn a_process() {
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let (_buffer, dma_buf) = vgem_buffer(&vgem);
    let (fence, file) = vgem.new_fence().unwrap();
    let device = DrmDevice::first_with_syncobjs();
    let pid = std::process::id().to_string();
    let report: Value = serde_json::from_str(&info(&["--pid", &pid, "--json"])).unwrap();
    let fds = report["fds"].as_array().unwrap();
    let of = |fd: i32| fds.iter().find(|it| it["fd"] == fd).unwrap_or_else(|| panic!("{report}"));
    assert_eq!(of(dma_buf.as_fd().as_raw_fd())["kind"], "dma_buf");
    assert_eq!(of(file.as_fd().as_raw_fd())["fences"], json!([pending()]));
    if let Some(device) = or_skip("virtio_gpu", device) {
        let found = of(device.as_fd().as_raw_fd());
        assert_eq!(found["kind"], "drm_device");
        assert_eq!(found["driver"], device.driver().unwrap());
    }
    fence.signal().unwrap();
}

#[test]
fn the_machine() {
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let (buffer, dma_buf) = vgem_buffer(&vgem);
    let fence = buffer.attach(true).unwrap();
    let report: Value = serde_json::from_str(&info(&["--buffers", "--json"])).unwrap();
    let buffers = report["buffers"].as_array().unwrap();
    let inode = dma_buf.inode().unwrap();
    let found = buffers.iter().find(|it| it["inode"] == inode).unwrap();
    let fences = found["fences"].as_array().unwrap();
    assert!(fences.iter().any(|it| it["usage"] == "write" && it["status"] == "pending"), "{found}");
    assert!(info(&["--buffers"]).contains("write: vgem unbound"));
    fence.signal().unwrap();
}
