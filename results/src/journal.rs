//! What an unfinished run has finished so far, on disk, so that the same command goes on where it stopped.
//!
//! A line a finished cell, each handed to the system in one piece as soon as the cell is done, below a header that says
//! which command it is of. Every line begins with a checksum of the rest under a key, which is the plan and the program: so a
//! line that was damaged, or that another plan or another build of the program wrote, is none of ours. A damaged line costs
//! its run. The journal stays until all that was asked for is on disk ([`Claim::finish`](crate::Claim::finish)).

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write as _},
    path::Path,
};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

use crate::{
    claim::{Claim, HOME},
    disk,
    error::Error,
    write::Finished,
};

/// The journal's name in the lab's own folder.
pub(crate) const FILE_NAME: &str = "journal";
/// The longest line that is read: far more than the rows of any run.
const LINE_BYTES_MAX: u64 = 1 << 30;
/// The bytes before a line's text: a checksum in hexadecimal and a blank.
const CHECKSUM: usize = 17;

/// The first line of a journal: what is unfinished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    /// The command that goes on with it.
    pub command: String,
    /// The plan's fingerprint.
    pub(crate) plan: String,
    /// The fingerprint of the program that began it.
    pub(crate) program: String,
    /// How many cells the plan has.
    pub cells: usize,
}

/// An open journal, into which finished cells go.
#[derive(Debug)]
pub struct Journal<'a> {
    claim: &'a Claim,
    file: File,
    /// The length in bytes up to which all lines are whole.
    length: u64,
    key: u64,
}

/// What a journal already knew.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// The finished cells.
    pub(crate) finished: Vec<Option<Finished>>,
    /// How many lines were damaged.
    pub(crate) damaged: usize,
    /// The length in bytes up to which all lines are whole; 0 where nothing is of this plan.
    length: u64,
}

/// Returns what is unfinished in `dir`, if something is. A header that cannot be read is one of an unknown command.
pub(crate) fn unfinished_in(dir: &Path) -> Result<Option<Unfinished>, Error> {
    let path = dir.join(HOME).join(FILE_NAME);
    let fail = |source| Error::Read { path: path.clone(), source };
    let file = match File::open(&path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        other => other.map_err(fail)?,
    };
    let mut line = Vec::new();
    BufReader::new(file.take(LINE_BYTES_MAX)).read_until(b'\n', &mut line).map_err(fail)?;
    let unknown = || Unfinished { command: String::new(), plan: String::new(), program: String::new(), cells: 0 };
    Ok(Some(checked(&line, 0).unwrap_or_else(unknown)))
}

impl<'a> Journal<'a> {
    /// Opens the journal of that plan, and returns it with what it already knows. What is of another plan or program is
    /// dropped.
    pub(crate) fn open(claim: &'a Claim, header: &Unfinished) -> Result<(Self, Known), Error> {
        Self::try_open(claim, header).map_err(|source| claim.fail(source))
    }

    fn try_open(claim: &'a Claim, header: &Unfinished) -> io::Result<(Self, Known)> {
        let path = claim.home(FILE_NAME);
        let file = disk::open(&path)?;
        let known = read_back(&file, header)?;
        let mut journal = Self { claim, file, length: known.length, key: key(header) };
        disk::truncate(&journal.file, &path, journal.length)?;
        journal.file.seek(SeekFrom::End(0))?;
        if journal.length == 0 {
            journal.write_line(header, 0)?;
        }
        Ok((journal, known))
    }

    /// Notes that a cell is finished.
    ///
    /// # Errors
    ///
    /// The journal cannot be written; what is in it stays.
    pub fn append(&mut self, cell: usize, finished: &Finished) -> Result<(), Error> {
        self.write_line(&(cell, finished), self.key).map_err(|source| self.claim.fail(source))
    }

    fn write_line(&mut self, value: &impl Serialize, key: u64) -> io::Result<()> {
        let text = serde_json::to_vec(value)?;
        let mut line = format!("{:016x} ", xxh3_64_with_seed(&text, key)).into_bytes();
        line.extend(text);
        line.push(b'\n');
        let written = disk::Pen(&self.file).write_all(&line);
        if written.is_err() {
            // Half a line would spoil the next one, which other threads may still write.
            self.file.set_len(self.length)?;
            self.file.seek(SeekFrom::End(0))?;
        }
        written?;
        self.length += line.len() as u64;
        Ok(())
    }
}

/// Reads the lines of that plan after the header, up to the last whole one.
fn read_back(file: impl Read, header: &Unfinished) -> io::Result<Known> {
    let mut known = Known { finished: vec![None; header.cells], ..Known::default() };
    let key = key(header);
    let mut lines = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        (&mut lines).take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        // Without an end it is what a kill cut short.
        if !line.ends_with(b"\n") {
            break;
        }
        let is_header = known.length == 0;
        known.length += line.len() as u64;
        let entry = checked::<(usize, Finished)>(&line, key);
        match entry.and_then(|(cell, entry)| Some((known.finished.get_mut(cell)?, entry))) {
            Some((slot, entry)) => *slot = Some(entry),
            None => known.damaged += usize::from(!is_header),
        }
    }
    if known.finished.iter().all(Option::is_none) {
        // Nothing in it is ours, and the header may be another's.
        known.length = 0;
    }
    Ok(known)
}

/// Returns whether a finished cell of that plan is in the journal, whatever its header says.
pub(crate) fn is_of(claim: &Claim, header: &Unfinished) -> Result<bool, Error> {
    let known = File::open(claim.home(FILE_NAME)).and_then(|file| read_back(file, header));
    Ok(known.map_err(|source| claim.fail(source))?.length > 0)
}

/// Returns what a line says, if it is as it was written under that key.
fn checked<T: for<'de> Deserialize<'de>>(line: &[u8], key: u64) -> Option<T> {
    let (checksum, text) = line.strip_suffix(b"\n")?.split_at_checked(CHECKSUM)?;
    let expected = format!("{:016x} ", xxh3_64_with_seed(text, key));
    (checksum == expected.as_bytes()).then(|| serde_json::from_slice(text).ok())?
}

/// Returns the key of the lines below that header.
fn key(header: &Unfinished) -> u64 {
    xxh3_64_with_seed(format!("{} {} {}", header.plan, header.program, header.cells).as_bytes(), 0)
}

/// Names the running program by its bytes: one that was changed and built anew may come to other results. So may one that was told
/// something else, which is its `variant`.
///
/// # Errors
///
/// If the program's file cannot be read.
pub(crate) fn program(variant: &str) -> io::Result<String> {
    let mut file = File::open(std::env::current_exe()?)?;
    let mut hasher = Xxh3::new();
    let mut chunk = vec![0; 1 << 16];
    loop {
        match file.read(&mut chunk)? {
            0 => break,
            length => hasher.update(&chunk[..length]),
        }
    }
    hasher.update(variant.as_bytes());
    Ok(format!("{:032x}", hasher.digest128()))
}

/// Returns how many finished cells of a plan of three cells `bytes` tell as a journal, for the fuzzers; with `sealed`, each
/// line gets the checksum that it would need first.
#[doc(hidden)]
pub fn cells_in(bytes: &[u8], sealed: bool) -> usize {
    let header = Unfinished { command: String::new(), plan: String::new(), program: String::new(), cells: 3 };
    let seal = |line: &[u8]| {
        let sum = xxh3_64_with_seed(line.strip_suffix(b"\n").unwrap_or(line), key(&header));
        [format!("{sum:016x} ").as_bytes(), line].concat()
    };
    let lines = || bytes.split_inclusive(|byte| *byte == b'\n');
    let bytes = if sealed { lines().flat_map(seal).collect() } else { bytes.to_vec() };
    let known = read_back(&bytes[..], &header).expect("memory can be read");
    known.finished.iter().flatten().count()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::rows::{EpisodeRow, RunRow, SeriesRow};

    fn finished(seed: u64) -> Finished {
        let run = RunRow { seed, ..RunRow::default() };
        let episodes = vec![EpisodeRow { seed, ..EpisodeRow::default() }];
        Finished { run, episodes, series: vec![SeriesRow { seed, ..SeriesRow::default() }] }
    }

    fn header(plan: &str) -> Unfinished {
        Unfinished { command: "cardiogram run".into(), plan: plan.into(), program: "p".into(), cells: 3 }
    }

    /// Returns a claim with a journal of the plan `a` with cells 0 and 2 of 3 finished.
    fn written() -> (tempfile::TempDir, Claim) {
        let dir = tempfile::tempdir().unwrap();
        let claim = Claim::take(dir.path(), "test").unwrap();
        let (mut journal, known) = Journal::open(&claim, &header("a")).unwrap();
        assert_eq!(known.finished, [None, None, None]);
        journal.append(2, &finished(7)).unwrap();
        journal.append(0, &finished(5)).unwrap();
        drop(journal);
        (dir, claim)
    }

    fn known(claim: &Claim, plan: &str) -> Known {
        Journal::open(claim, &header(plan)).unwrap().1
    }

    #[test]
    fn finished_cells_come_back() {
        let (dir, claim) = written();
        let both = vec![Some(finished(5)), None, Some(finished(7))];
        let known = known(&claim, "a");
        assert_eq!((known.finished, known.damaged), (both, 0));
        assert_eq!(unfinished_in(dir.path()).unwrap(), Some(header("a")));
    }

    #[test]
    fn a_line_cut_short_by_a_kill_is_dropped_and_overwritten() {
        let (_dir, claim) = written();
        let path = claim.home(FILE_NAME);
        let text = fs::read(&path).unwrap();
        for cut in 1..40 {
            fs::write(&path, &text[..text.len() - cut]).unwrap();
            let (mut journal, known) = Journal::open(&claim, &header("a")).unwrap();
            let one = vec![None, None, Some(finished(7))];
            assert_eq!((known.finished, known.damaged), (one, 0), "{cut} bytes short");
            journal.append(0, &finished(5)).unwrap();
            drop(journal);
            assert_eq!(fs::read(&path).unwrap(), text);
        }
    }

    #[test]
    fn one_changed_byte_costs_one_run_and_never_tells_a_wrong_one() {
        let (_dir, claim) = written();
        let path = claim.home(FILE_NAME);
        let text = fs::read(&path).unwrap();
        let both = [Some(finished(5)), None, Some(finished(7))];
        let header_length = text.iter().position(|byte| *byte == b'\n').unwrap();
        for at in (0..text.len()).step_by(7).filter(|at| text[*at] != b'\n') {
            let mut changed = text.clone();
            changed[at] ^= 1;
            fs::write(&path, &changed).unwrap();
            let known = known(&claim, "a");
            let lost = known.finished.iter().zip(&both).filter(|(found, true_one)| found != true_one);
            assert!(lost.clone().all(|(found, _)| found.is_none()), "byte {at} tells another run");
            assert_eq!(lost.count(), usize::from(at > header_length), "byte {at}");
            assert_eq!(known.damaged, usize::from(at > header_length), "byte {at}");
        }
    }

    #[test]
    fn the_journal_of_another_program_is_started_afresh() {
        let (_dir, claim) = written();
        let other = Unfinished { program: "q".into(), ..header("a") };
        assert_eq!(Journal::open(&claim, &other).unwrap().1.finished, [None, None, None]);
        let [plain, told, otherwise] = ["", "PING_S=240", "PING_S=360"].map(|variant| program(variant).unwrap());
        assert!(plain != told && told != otherwise, "a program is another one where it was told something else");
        assert_eq!(told, program("PING_S=240").unwrap());
    }

    #[test]
    fn the_journal_of_another_plan_is_started_afresh() {
        let (dir, claim) = written();
        assert_eq!(known(&claim, "b").finished, [None, None, None]);
        assert_eq!(unfinished_in(dir.path()).unwrap(), Some(header("b")));
        assert_eq!(known(&claim, "a").finished, [None, None, None], "nothing of the old plan is left");
    }
}
