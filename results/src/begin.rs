//! What a claimed directory holds already, and whether a plan may be begun there: nothing that took time is computed again, and
//! nothing is dropped in silence.

use crate::{
    claim::{Claim, FORMAT, Marker},
    error::Error,
    journal::{self, Journal, Unfinished},
    manifest::Manifest,
    read::Reader,
    write::Finished,
};

/// A plan that is to be begun in a directory.
#[derive(Clone, Copy, Debug)]
pub struct Begin<'a> {
    /// The manifest that its results will have.
    pub manifest: &'a Manifest,
    /// The command line that goes on with it.
    pub command: &'a str,
    /// How many cells it has.
    pub cells: usize,
    /// What the program was told besides the plan, by its environment for instance, that may change its results: it counts as
    /// another program where that is different. Empty: nothing.
    pub variant: &'a str,
    /// Whether its results are joined from those of shards, in place of being run.
    pub is_merge: bool,
    /// Whether results of another plan, and an unfinished one, are replaced.
    pub force: bool,
}

/// How a plan stands.
#[derive(Debug)]
pub enum Begun<'a> {
    /// Its results are there, of this very program.
    Complete,
    /// Some of it, or nothing, is finished.
    Open {
        /// Where finished cells go.
        journal: Journal<'a>,
        /// Those that are finished already.
        known: Vec<Option<Finished>>,
        /// What is worth telling about what was there.
        notes: Vec<String>,
    },
}

/// What [`Begun`] says, before anything is opened.
enum Standing {
    Complete,
    /// With what is worth telling about what was there.
    Open(Option<String>),
}

impl Claim {
    /// Refuses a plan that may not be begun here, before anything is done for it. Nothing is changed.
    ///
    /// # Errors
    ///
    /// Those of [`Claim::begin`], but for what cannot be written.
    pub fn check_begin(&self, plan: &Begin<'_>) -> Result<(), Error> {
        self.standing(plan, &self.header(plan)?).map(drop)
    }

    /// Begins a plan, or goes on with it.
    ///
    /// # Errors
    ///
    /// Without `force`: there are results of another plan, or another one is unfinished. Also where the directory cannot
    /// be read or written.
    pub fn begin(&self, plan: &Begin<'_>) -> Result<Begun<'_>, Error> {
        let header = self.header(plan)?;
        let mut notes = match self.standing(plan, &header)? {
            Standing::Complete => return Ok(Begun::Complete),
            Standing::Open(note) => Vec::from_iter(note),
        };
        let (journal, known) = Journal::open(self, &header)?;
        if known.damaged > 0 {
            let lines = if known.damaged == 1 { "1 line".into() } else { format!("{} lines", known.damaged) };
            notes.push(format!("{lines} of the journal are damaged; the runs that they told of are run again"));
        }
        self.set_marker(&Marker { format: FORMAT, program: header.program, command: plan.command.into() })?;
        Ok(Begun::Open { journal, known: known.finished, notes })
    }

    /// Returns the first line that the plan's journal has.
    fn header(&self, plan: &Begin<'_>) -> Result<Unfinished, Error> {
        let fingerprint = plan.manifest.fingerprint();
        Ok(Unfinished {
            command: plan.command.into(),
            // What a merge has begun is nothing that a run could go on with.
            plan: if plan.is_merge { format!("merge {fingerprint}") } else { fingerprint },
            program: journal::program(plan.variant).map_err(|source| self.fail(source))?,
            cells: plan.cells,
        })
    }

    /// Returns how the plan stands here, where it may be begun.
    fn standing(&self, plan: &Begin<'_>, header: &Unfinished) -> Result<Standing, Error> {
        match journal::unfinished_in(self.dir())? {
            None => {
                let is_there = self.finished(&plan.manifest.fingerprint(), &header.program, plan.force)?;
                if is_there && !plan.force && !plan.is_merge {
                    return Ok(Standing::Complete);
                }
            }
            // Whose it is, its lines say, even where the header is damaged.
            Some(other) if other.command.is_empty() && !plan.force => {
                if !journal::is_of(self, header)? {
                    return Err(Error::OtherUnfinished { dir: self.dir().into(), command: String::new() });
                }
            }
            Some(other) if other.plan != header.plan && !plan.force => {
                return Err(Error::OtherUnfinished { dir: self.dir().into(), command: other.command });
            }
            Some(other) if other.plan == header.plan && other.program != header.program => {
                let note = "the finished runs here are of another build of the program, or of a guest with other parameters, and are \
                            run again";
                return Ok(Standing::Open(Some(note.into())));
            }
            Some(_) => {}
        }
        Ok(Standing::Open(None))
    }

    /// Returns whether the results that are here are those of the plan, by the same program. An error where they are another
    /// plan's, which must be told to go.
    fn finished(&self, fingerprint: &str, program: &str, force: bool) -> Result<bool, Error> {
        let marker = self.marker()?.unwrap_or_default();
        let manifest = match Reader::manifest_in(self.dir()) {
            Err(Error::NoResults { .. }) => return Ok(false),
            Err(_) if force => return Ok(false),
            other => other?,
        };
        if manifest.fingerprint() != fingerprint {
            if force {
                return Ok(false);
            }
            return Err(Error::OtherResults { dir: self.dir().into(), command: marker.command });
        }
        // What was changed since is made anew.
        Ok(marker.program == program && !manifest.files.is_empty() && Reader::open_in(self).is_ok())
    }
}
