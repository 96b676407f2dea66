"""How good drafts are: the real text model on ACI-BENCH, beside one plain prompt. ``make eval-drafts``."""
