//! Results that are read once, row by row, by whoever joins many directories: a piece of a table at a time, and no file kept open
//! between two pieces, so that neither memory nor open files grow with what is joined.
//!
//! Nothing is believed before its end: the manifest's hash of a table is computed on the way, and a row that cannot be one is
//! told as a changed file where the hash does not fit either.

use std::{
    fs::{self, File},
    io::{self, Read, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::Xxh3;

use crate::{
    column::{Column, Row as _},
    error::Error,
    manifest::{Manifest, ManifestFile},
    read,
    rows::RunName,
    table::{Record, Table},
};

/// A results directory whose tables are to be streamed.
#[derive(Debug)]
pub struct Streams {
    dir: PathBuf,
    files: Vec<ManifestFile>,
}

impl Streams {
    /// Opens finished results of this version, and returns what they are of as well.
    ///
    /// # Errors
    ///
    /// The errors of [`Reader::open_finished`](crate::Reader::open_finished), but for tables that are not those of the
    /// manifest: a [`Stream`] finds that out.
    pub fn open(dir: &Path) -> Result<(Self, Manifest), Error> {
        let mut manifest = read::finished_manifest(dir)?;
        let files = std::mem::take(&mut manifest.files);
        Ok((Self { dir: dir.into(), files }, manifest))
    }

    /// Refuses to join a table of these in `whole` that would be too long to be read.
    ///
    /// # Errors
    ///
    /// It would be, or one of its parts is not there.
    pub fn check_whole<'a, C: Column>(of: impl Iterator<Item = &'a Self>, whole: &Path) -> Result<(), Error> {
        let mut bytes = 0_u64;
        for part in of {
            let path = part.dir.join(C::FILE);
            bytes += fs::metadata(&path).map_err(|source| Error::Read { path, source })?.len();
        }
        if bytes > read::TABLE_BYTES_MAX {
            return Err(Error::TooLarge { path: whole.join(C::FILE), limit: read::TABLE_BYTES_MAX_WORDS.into() });
        }
        Ok(())
    }

    /// Reads a table from its start, so many bytes at a time.
    ///
    /// # Errors
    ///
    /// It is not there, or its columns are not those of this version.
    pub fn table<C: Column>(&self, piece_bytes: usize) -> Result<Stream<C>, Error> {
        let path = self.dir.join(C::FILE);
        drop(read::open_table(&path)?);
        let pieces = Pieces { path: path.clone(), offset: 0, hash: Box::new(Xxh3::new()) };
        let hash = self.files.iter().find(|file| file.name == C::FILE).map(|file| file.hash.clone());
        Stream::new(self.dir.clone(), hash, Table::new(path, Input::Pieces(pieces), piece_bytes)?)
    }
}

/// A table of which the next row is known.
#[derive(Debug)]
pub struct Stream<C: Column> {
    dir: PathBuf,
    /// What the manifest says of the table, if it does.
    hash: Option<String>,
    table: Table<C>,
    /// The row that comes next.
    next: Option<C::Row>,
    /// The line of that row.
    line: u64,
}

impl<C: Column> Stream<C> {
    fn new(dir: PathBuf, hash: Option<String>, table: Table<C>) -> Result<Self, Error> {
        let mut stream = Self { dir, hash, table, next: None, line: 1 };
        if !stream.table.is_complete() {
            return Err(stream.damaged("the columns are not those of this version"));
        }
        stream.advance()?;
        Ok(stream)
    }

    /// Returns the row that comes next, if it is one of that run.
    ///
    /// # Errors
    ///
    /// The row after it cannot be one, or the table ends and is not that of the manifest.
    pub fn next_of(&mut self, name: &RunName) -> Result<Option<C::Row>, Error> {
        let row = self.next.take_if(|row| row.is_of(name));
        if row.is_some() {
            self.advance()?;
        }
        Ok(row)
    }

    /// Hands over all rows of that run, of which there must be `count`.
    ///
    /// # Errors
    ///
    /// There are more or fewer; the errors of [`Stream::next_of`], and those of `put`.
    pub fn all_of(
        &mut self,
        name: &RunName,
        count: u64,
        put: &mut dyn FnMut(&C::Row) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut found = 0;
        while let Some(row) = self.next_of(name)? {
            put(&row)?;
            found += 1;
        }
        if found == count {
            return Ok(());
        }
        Err(self.damaged(&format!("{found} rows of {name} instead of {count} end before here")))
    }

    /// Returns an error where rows are left over.
    ///
    /// # Errors
    ///
    /// They are.
    pub fn check_end(&mut self) -> Result<(), Error> {
        if self.next.is_none() {
            return Ok(());
        }
        Err(self.damaged("this row belongs to no run of the shard, or to one that is there before"))
    }

    /// Returns the error that something is wrong with the row that comes next.
    pub fn damaged(&mut self, problem: &str) -> Error {
        let error = self.table.damaged(self.line, problem);
        self.blame(error)
    }

    fn advance(&mut self) -> Result<(), Error> {
        self.line = self.table.line();
        let next = self.table.next_row().and_then(|row| row.map(Record::typed).transpose());
        self.next = next.map_err(|error| self.blame(error))?;
        if self.next.is_none() {
            self.check_hash()?;
        }
        Ok(())
    }

    /// Returns what to tell of a problem: where the file is not the one that the manifest was written with, that.
    fn blame(&mut self, error: Error) -> Error {
        self.check_hash().err().unwrap_or(error)
    }

    /// Reads what is left of the table, and holds all of it to the manifest.
    fn check_hash(&mut self) -> Result<(), Error> {
        let Some(expected) = &self.hash else { return Ok(()) };
        let found = self.table.rest().hash();
        let found = found.map_err(|source| Error::Read { path: self.dir.join(C::FILE), source })?;
        if found == *expected { Ok(()) } else { Err(read::not_of_manifest(&self.dir, C::FILE)) }
    }
}

/// Where the bytes of a table come from.
#[derive(Debug)]
pub(crate) enum Input {
    /// A file that stays open: what is read is what was there when it was opened.
    File(File),
    /// A file that is opened for each piece.
    Pieces(Pieces),
}

/// A file that is read in pieces, and what was read of it so far.
pub(crate) struct Pieces {
    path: PathBuf,
    offset: u64,
    hash: Box<Xxh3>,
}

impl Input {
    /// Reads to the end, and returns the hash of everything.
    fn hash(&mut self) -> io::Result<String> {
        let Self::Pieces(pieces) = self else { unreachable!("a table that is streamed is read in pieces") };
        let mut piece = vec![0; 1 << 16];
        while pieces.read(&mut piece)? > 0 {}
        Ok(format!("{:032x}", pieces.hash.digest128()))
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Pieces(pieces) => pieces.read(buffer),
        }
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.offset))?;
        let length = file.read(buffer)?;
        self.offset += length as u64;
        self.hash.update(&buffer[..length]);
        Ok(length)
    }
}

impl std::fmt::Debug for Pieces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pieces").field("path", &self.path).field("offset", &self.offset).finish_non_exhaustive()
    }
}
