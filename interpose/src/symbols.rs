//! Functions of the C library, defined again. The linker takes a definition of the program before that of a library, so all code that
//! is linked into the program calls these. Each answers for the lab on a thread of guests, and otherwise asks the system as the C library
//! would have done.

use std::{
    ffi::{c_int, c_void},
    ptr,
    time::Duration,
};

use crate::here;

/// How long the simulated machine had been up when the run began: long enough for whoever subtracts from the time.
const UP: Duration = Duration::from_secs(86_400);
/// 1 January 2026, 0:00 UTC.
const BEGIN: Duration = Duration::from_secs(1_767_225_600);

/// Does nothing: whoever calls it has this file linked.
pub(crate) const fn keep() {}

/// Returns what a clock shows in the lab; `None` where the system is to be asked.
fn simulated(clock: libc::clockid_t) -> Option<Duration> {
    #[cfg(target_os = "linux")]
    let (monotonic, of_day) = (
        [libc::CLOCK_MONOTONIC, libc::CLOCK_MONOTONIC_COARSE, libc::CLOCK_MONOTONIC_RAW, libc::CLOCK_BOOTTIME],
        [libc::CLOCK_REALTIME, libc::CLOCK_REALTIME_COARSE],
    );
    #[cfg(target_os = "macos")]
    let (monotonic, of_day) =
        ([libc::CLOCK_MONOTONIC, libc::CLOCK_MONOTONIC_RAW, libc::CLOCK_UPTIME_RAW], [libc::CLOCK_REALTIME]);
    if monotonic.contains(&clock) {
        here::elapsed().map(|elapsed| UP + elapsed)
    } else if of_day.contains(&clock) {
        here::elapsed().map(|elapsed| BEGIN + elapsed)
    } else {
        None
    }
}

/// Fills a buffer with bytes of the run; `false` where the system is to be asked.
///
/// # Safety
///
/// `length` bytes can be written at `buffer`.
unsafe fn fill(buffer: *mut u8, length: usize) -> bool {
    let mut done = 0;
    while done < length {
        let Some(bytes) = here::next_bytes() else { return false };
        let count = bytes.len().min(length - done);
        // SAFETY: `done` is less than `length`, so the result is in the buffer.
        let place = unsafe { buffer.add(done) };
        // SAFETY: `count` bytes are left in the buffer and there are as many in `bytes`, which is a variable of this function, so that
        // both cannot overlap. Bytes have no alignment.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), place, count) };
        done += count;
    }
    length > 0
}

/// `getrandom(2)`.
///
/// Safe to call as the function of the C library: `length` bytes can be written at `buffer`.
#[cfg(target_os = "linux")]
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut c_void, length: usize, flags: libc::c_uint) -> isize {
    // SAFETY: the caller promises the buffer that `fill` asks for.
    if unsafe { fill(buffer.cast(), length) } {
        return length as isize;
    }
    // SAFETY: these are the arguments of getrandom(2), and the caller promises what it asks for. The kernel checks the address.
    unsafe { libc::syscall(libc::SYS_getrandom, buffer, length, flags) as isize }
}

/// `getentropy(3)`.
///
/// Safe to call as the function of the C library: `length` bytes can be written at `buffer`.
#[unsafe(no_mangle)]
unsafe extern "C" fn getentropy(buffer: *mut c_void, length: usize) -> c_int {
    // SAFETY: the caller promises the buffer that `fill` asks for.
    if unsafe { fill(buffer.cast(), length) } {
        return 0;
    }
    // SAFETY: the caller's promise is the one that the real function asks for.
    unsafe { real::getentropy(buffer, length) }
}

/// The generator of macOS's `CommonCrypto`, from which std draws there.
///
/// Safe to call as the function of the system: `length` bytes can be written at `buffer`.
#[cfg(target_os = "macos")]
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "its name")]
unsafe extern "C" fn CCRandomGenerateBytes(buffer: *mut c_void, length: usize) -> i32 {
    // SAFETY: the caller promises the buffer that `fill` asks for.
    if unsafe { fill(buffer.cast(), length) } {
        return 0;
    }
    // SAFETY: the caller's promise is the one that the real function asks for.
    unsafe { real::random_bytes(buffer, length) }
}

/// `clock_gettime(2)`.
///
/// Safe to call as the function of the C library: a `timespec` can be written at `time`.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> c_int {
    if let Some(shown) = simulated(clock) {
        let shown = libc::timespec { tv_sec: shown.as_secs() as libc::time_t, tv_nsec: shown.subsec_nanos().into() };
        // SAFETY: the caller promises that a `timespec` can be written there.
        unsafe { time.write(shown) };
        return 0;
    }
    // SAFETY: the caller's promise is the one that the real function asks for.
    unsafe { real::clock_gettime(clock, time) }
}

/// `gettimeofday(2)`. There are no time zones.
///
/// Safe to call as the function of the C library: `time` is null, or a `timeval` can be written there.
#[unsafe(no_mangle)]
unsafe extern "C" fn gettimeofday(time: *mut libc::timeval, _zone: *mut c_void) -> c_int {
    let Some(shown) = time_of_day() else { return -1 };
    if !time.is_null() {
        let micros = (shown.tv_nsec / 1_000) as libc::suseconds_t;
        // SAFETY: it is not null, so the caller promises that a `timeval` can be written there.
        unsafe { time.write(libc::timeval { tv_sec: shown.tv_sec, tv_usec: micros }) };
    }
    0
}

/// `time(2)`.
///
/// Safe to call as the function of the C library: `time` is null, or a `time_t` can be written there.
#[unsafe(no_mangle)]
unsafe extern "C" fn time(time: *mut libc::time_t) -> libc::time_t {
    let seconds = time_of_day().map_or(-1, |shown| shown.tv_sec);
    if !time.is_null() {
        // SAFETY: it is not null, so the caller promises that a `time_t` can be written there.
        unsafe { time.write(seconds) };
    }
    seconds
}

/// Returns the time of day, the lab's or the machine's.
fn time_of_day() -> Option<libc::timespec> {
    let mut shown = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `shown` is a variable of this function, to which a `timespec` can be written.
    let failed = unsafe { clock_gettime(libc::CLOCK_REALTIME, &raw mut shown) };
    (failed == 0).then_some(shown)
}

/// The system's own functions: on Linux by the kernel's number of the call, which needs nothing of the C library but the errno that
/// `syscall` sets.
#[cfg(target_os = "linux")]
mod real {
    use std::ffi::{c_int, c_void};

    /// # Safety
    ///
    /// A `timespec` can be written at `time`.
    pub(super) unsafe fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> c_int {
        // SAFETY: these are the arguments of clock_gettime(2), and the caller promises what it asks for.
        unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) as c_int }
    }

    /// # Safety
    ///
    /// `length` bytes can be written at `buffer`.
    pub(super) unsafe fn getentropy(buffer: *mut c_void, length: usize) -> c_int {
        /// More than this getentropy(3) refuses; this many the kernel always gives at once.
        const MOST: usize = 256;
        if length > MOST {
            // SAFETY: it returns the address of this thread's errno, which is there as long as the thread is.
            let errno = unsafe { libc::__errno_location() };
            // SAFETY: as above; no other thread writes there.
            unsafe { errno.write(libc::EIO) };
            return -1;
        }
        // SAFETY: these are the arguments of getrandom(2), and the caller promises what it asks for.
        let got = unsafe { libc::syscall(libc::SYS_getrandom, buffer, length, 0) };
        if got == length as libc::c_long { 0 } else { -1 }
    }
}

/// The system's own functions: on macOS those that the dynamic linker finds behind this program's.
#[cfg(target_os = "macos")]
mod real {
    use std::{
        ffi::{CStr, c_int, c_void},
        mem,
        sync::OnceLock,
    };

    type ClockGettime = unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> c_int;
    type Fill = unsafe extern "C" fn(*mut c_void, usize) -> c_int;

    /// Returns the address of a system's function behind that of this program. The system always has it.
    fn next(name: &CStr) -> usize {
        // SAFETY: the name ends with a zero byte, and the handle is one of those that dlsym(3) knows.
        let found = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
        if found.is_null() {
            // Whoever cannot ask the system for the time cannot tell of it either.
            std::process::abort();
        }
        found as usize
    }

    /// # Safety
    ///
    /// A `timespec` can be written at `time`.
    pub(super) unsafe fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> c_int {
        static FOUND: OnceLock<usize> = OnceLock::new();
        let found = *FOUND.get_or_init(|| next(c"clock_gettime"));
        // SAFETY: it is the address of the system's `clock_gettime`, which has this type.
        let real = unsafe { mem::transmute::<usize, ClockGettime>(found) };
        // SAFETY: the caller promises what it asks for.
        unsafe { real(clock, time) }
    }

    /// # Safety
    ///
    /// `length` bytes can be written at `buffer`.
    pub(super) unsafe fn getentropy(buffer: *mut c_void, length: usize) -> c_int {
        static FOUND: OnceLock<usize> = OnceLock::new();
        let found = *FOUND.get_or_init(|| next(c"getentropy"));
        // SAFETY: it is the address of the system's `getentropy`, which has this type.
        let real = unsafe { mem::transmute::<usize, Fill>(found) };
        // SAFETY: the caller promises what it asks for.
        unsafe { real(buffer, length) }
    }

    /// # Safety
    ///
    /// `length` bytes can be written at `buffer`.
    pub(super) unsafe fn random_bytes(buffer: *mut c_void, length: usize) -> i32 {
        static FOUND: OnceLock<usize> = OnceLock::new();
        let found = *FOUND.get_or_init(|| next(c"CCRandomGenerateBytes"));
        // SAFETY: it is the address of the system's `CCRandomGenerateBytes`, whose type is that of `getentropy`.
        let real = unsafe { mem::transmute::<usize, Fill>(found) };
        // SAFETY: the caller promises what it asks for.
        unsafe { real(buffer, length) }
    }
}
