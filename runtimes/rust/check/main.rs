//! `guichet runtime check` compiles and runs this: the image holds what every program is promised.

use std::ffi::CStr;
use std::fs::OpenOptions;
use std::os::raw::{c_char, c_int, c_long};
use std::path::Path;

#[repr(C)]
struct User {
    name: *const c_char,
    password: *const c_char,
    uid: u32,
    gid: u32,
    note: *const c_char,
    home: *const c_char,
    shell: *const c_char,
}

#[repr(C)]
struct Moment {
    fields: [c_int; 9],
    seconds_east: c_long,
    zone: *const c_char,
}

extern "C" {
    fn getuid() -> u32;
    fn getpwuid(uid: u32) -> *const User;
    fn setlocale(category: c_int, name: *const c_char) -> *const c_char;
    fn localtime(time: *const c_long) -> *const Moment;
}

const LC_ALL: c_int = 6;

fn main() {
    std::env::set_var("TZ", "Europe/Paris");
    let winter: c_long = 1_700_000_000;
    let text = |text: *const c_char| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned();
    let user = unsafe { getpwuid(getuid()).as_ref() };
    let is = |value: Option<*const c_char>, variable: &str| value.map(text) == std::env::var(variable).ok();
    let name = user.map(|user| user.name);
    let writes = |path: &str| OpenOptions::new().write(true).create(!Path::new(path).exists()).open(path).is_ok();
    let found = [
        ("the locale of LANG", unsafe { !setlocale(LC_ALL, b"\0".as_ptr().cast()).is_null() }),
        ("the time zone Europe/Paris", unsafe { (*localtime(&winter)).seconds_east } == 3600),
        ("a name for the uid", name.is_some() && is(name, "USER") && is(name, "LOGNAME")),
        ("a home for the uid", user.is_some() && is(user.map(|user| user.home), "HOME")),
        ("a stream that can be opened by name", writes("/dev/stderr")),
        ("a work folder that can be written to", writes("made")),
        ("threads", std::thread::spawn(|| true).join().is_ok()),
    ];
    let missing: Vec<_> = found.iter().filter(|(_, holds)| !holds).collect();
    for (what, _) in &missing {
        println!("missing: {what}");
    }
    std::process::exit(if missing.is_empty() { 0 } else { 1 });
}
