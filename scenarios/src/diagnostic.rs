//! What is wrong with a file, shown the way compilers show it: file, line, column, the line itself, a caret, and what
//! to write instead. Finding the problems is the business of `document`; this file only knows how they look.

use std::{fmt, ops::Range};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// A problem of a file, with its place and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong, in a sentence without a full stop.
    pub message: String,
    /// Which bytes of the file the caret points at; `None` where no part of the file is to blame.
    pub span: Option<Range<usize>>,
    /// What to write instead.
    pub help: Option<String>,
}

/// A file that cannot be used, with everything that was found wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    name: String,
    text: String,
    diagnostics: Vec<Diagnostic>,
    /// How many more there are than are kept.
    more: usize,
}

/// The most problems that are shown of one file: nobody reads more.
const SHOWN_MAX: usize = 20;

impl Invalid {
    /// The problems of the file `name`, whose content is `text`, in the order of their places in the file.
    pub fn new(name: impl Into<String>, text: impl Into<String>, mut diagnostics: Vec<Diagnostic>) -> Self {
        assert!(!diagnostics.is_empty(), "a file without problems is not invalid");
        diagnostics.sort_by_key(|diagnostic| diagnostic.span.as_ref().map(|span| span.start));
        let more = diagnostics.len().saturating_sub(SHOWN_MAX);
        diagnostics.truncate(SHOWN_MAX);
        Self { name: name.into(), text: text.into(), diagnostics, more }
    }

    /// Returns the problems that were found, the first of them, in the order of the file.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// Returns the line and the column at which a problem begins, both counted from 1; `None` where no part of the file is to
    /// blame.
    pub fn place(&self, diagnostic: &Diagnostic) -> Option<(usize, usize)> {
        let before = self.text.get(..diagnostic.span.as_ref()?.start)?;
        let line = before.rsplit('\n').next().unwrap_or(before);
        Some((before.matches('\n').count() + 1, line.chars().count() + 1))
    }

    /// Returns how many problems there are beyond those that are shown.
    pub const fn more(&self) -> usize {
        self.more
    }

    /// Returns the message for a terminal, with colours or without; several lines, no line break at the end.
    pub fn render(&self, colours: bool) -> String {
        self.render_as(&Level::ERROR, colours)
    }

    /// Renders findings that keep nobody from using the file, as warnings.
    pub fn render_as_warnings(&self, colours: bool) -> String {
        self.render_as(&Level::WARNING, colours)
    }

    fn render_as(&self, level: &Level<'_>, colours: bool) -> String {
        let renderer = if colours { Renderer::styled() } else { Renderer::plain() };
        let mut shown: Vec<String> =
            self.diagnostics.iter().map(|it| renderer.render(&[self.group(level, it)])).collect();
        match self.more {
            0 => {}
            1 => shown.push(format!("and 1 more in {}", self.name)),
            more => shown.push(format!("and {more} more in {}", self.name)),
        }
        shown.join("\n\n")
    }

    fn group<'a>(&'a self, level: &Level<'a>, diagnostic: &'a Diagnostic) -> Group<'a> {
        let title = level.clone().primary_title(&diagnostic.message);
        let snippet = Snippet::source(&self.text).path(&self.name);
        let group = match &diagnostic.span {
            Some(span) => title.element(snippet.annotation(AnnotationKind::Primary.span(span.clone()))),
            None => title.element(annotate_snippets::Origin::path(&self.name)),
        };
        match &diagnostic.help {
            Some(help) => group.element(Level::HELP.message(help)),
            None => group,
        }
    }
}

impl fmt::Display for Invalid {
    /// [`Invalid::render`] without colours.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Invalid {}
