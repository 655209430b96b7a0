//! Forgets what is stored for hooks that there are no more.

use std::{collections::BTreeSet, sync::Arc};

use syncline_core::{hook::HookName, limits::DELETE_BATCH_MAX};
use syncline_store::{
    Batch, Key, Store,
    records::{self, MarksOf},
};

use crate::{epoch::Epoch, limits::HOOK_PAGE, storage::StoreDown};

/// Removes what would be told to nobody: an operator has taken the hook out of the settings, or calls it by another name.
pub(super) async fn forget_strangers(epoch: Arc<Epoch>) {
    let forgotten = tokio::select! {
        biased;
        () = epoch.drain.cancelled() => return,
        forgotten = forget(&epoch) => forgotten,
    };
    match forgotten {
        // Whoever waits for the store hears that it is down.
        Ok(0) | Err(_) => {}
        Ok(forgotten) => {
            tracing::info!(forgotten, "what was to be told to hooks that there are no more is forgotten");
        }
    }
}

async fn forget(epoch: &Epoch) -> Result<usize, StoreDown> {
    let known: BTreeSet<HookName> = epoch.hooks.lines.iter().map(|line| line.hook.name.clone()).collect();
    let mut forgotten = 0;
    for of in [MarksOf::Ended, MarksOf::Alive] {
        forgotten += forget_those(epoch, of, &known).await?;
    }
    Ok(forgotten)
}

async fn forget_those(epoch: &Epoch, of: MarksOf, known: &BTreeSet<HookName>) -> Result<usize, StoreDown> {
    let (mut from, mut forgotten): (Option<Key>, _) = (None, 0);
    loop {
        let page = move |store: &dyn Store| records::marks(store, of, from.as_ref(), HOOK_PAGE);
        // What cannot be read now is forgotten after another start.
        let Ok(page) = epoch.storage.read(page).await? else { return Ok(forgotten) };
        let mut batch = Batch::new();
        for (hook, mark) in page.marks.iter().filter(|(hook, _)| !known.contains(hook)) {
            records::clear_mark(&mut batch, hook, &mark.id);
        }
        debug_assert!(batch.len() <= HOOK_PAGE && HOOK_PAGE <= 2 * DELETE_BATCH_MAX, "a batch is small");
        forgotten += batch.len();
        if !batch.is_empty() {
            epoch.storage.commit(batch).await?;
        }
        from = page.next;
        if from.is_none() {
            return Ok(forgotten);
        }
    }
}
