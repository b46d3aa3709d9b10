//! Proving what is stored.

use super::ask::Lender;
use super::fault::{Done, Fault};
use super::folder::StoreHost;
use super::lend::Phase;
use super::machine::{self, Performer};
use super::object::ObjectReader;
use super::restore::put_together;
use crate::catalog::{BackupView, StoredFile, Target};
use crate::error::{At, Class};
use crate::run::{self, Answer, Id, Machine, Place, Request, Verification, Wrong};

/// What a verification found.
#[derive(Clone, Debug, Default)]
pub struct Verified {
    /// Backups that can be restored.
    pub sound: Vec<BackupView>,
    /// What is wrong; empty when all is well.
    pub problems: Vec<Fault>,
    /// Stored bytes that were read.
    pub bytes: u64,
}

/// Verifies every backup of a database, or the one that `at` means.
pub(super) async fn verify(lender: &Lender, place: Place, at: Option<Target>, name: &str) -> Done<Verified> {
    let mut machine = Machine::new(|asked| async move { run::verify(&asked, &place, at.as_ref()).await });
    let mut verifier = Verifier { store: StoreHost::new(lender), bytes: 0 };
    let (outcome, mut faults) = machine::run(&mut machine, &mut verifier).await;
    let Verification { sound, wrong, .. } = outcome.map_err(|failure| Fault::told(failure, name, &mut faults))?;
    let told = wrong.into_iter().map(|wrong| match wrong {
        Wrong::Known(problem) => Fault::new(Class::Damage, problem.code, problem.name.as_deref(), problem.message),
        Wrong::Found(failure, name) => {
            let fault = faults.get(failure.token as usize).cloned();
            let fault = fault.unwrap_or_else(|| Fault::damaged(&name, "could not be proved"));
            Fault { name: fault.name.clone().or(Some(name)), ..fault }
        }
    });
    Ok(Verified { sound, problems: told.collect(), bytes: verifier.bytes })
}

struct Verifier {
    store: StoreHost,
    bytes: u64,
}

impl Verifier {
    async fn prove(&mut self, file: StoredFile, listed: Option<u64>, total: u64) -> Done<Answer> {
        // A restore refuses an object that is too long, though all that it would read is right.
        if let Some(found) = listed.filter(|&found| found != file.size) {
            return Err(Fault::damaged(&file.key, format_args!("has {found} bytes instead of {}", file.size)));
        }
        let mut reader = ObjectReader::new(&self.store.lender, file, super::TRANSFER);
        loop {
            let bytes = reader.next().await?;
            if bytes.is_empty() {
                return Ok(Answer::Done);
            }
            self.bytes += bytes.len() as u64;
            self.store.lender.tell(Phase::Verify, self.bytes, total).await?;
        }
    }

    async fn put_together(&mut self, files: Vec<StoredFile>, bookmark: Option<String>) -> Done<Answer> {
        // Litestream's files prove themselves alone: nothing else was read of them.
        if bookmark.is_none() {
            self.bytes = files.iter().map(|file| file.size).fold(0, u64::saturating_add);
        }
        put_together(&self.store.lender, files, bookmark.as_deref(), Phase::Verify).await?;
        Ok(Answer::Done)
    }
}

impl<M> Performer<M> for Verifier {
    fn now_ms(&self) -> i64 {
        self.store.lender.now_ms()
    }

    async fn perform(&mut self, id: Id, request: Request, machine: &M) -> Done<Answer> {
        match request {
            Request::Prove { file, listed, total } => self.prove(file, listed, total).await,
            Request::PutTogether { files, bookmark } => self.put_together(files, bookmark).await,
            request => self.store.perform(id, request, machine).await,
        }
    }
}

impl Fault {
    /// Where it is, as one text.
    pub fn place(&self) -> String {
        let name = self.name.as_deref().unwrap_or_default();
        match self.at {
            At::Input => name.to_owned(),
            At::Offset(offset) => format!("{name} byte {offset}"),
            At::Page(page) => format!("{name} page {page}"),
            At::Row(row) => format!("{name} rowid {row}"),
            At::Txid(txid) => format!("{name} TXID {txid:016x}"),
        }
    }
}
