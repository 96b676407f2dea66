"""Filing: the preliminary DocumentReference, its Provenance, hand-over and the signature watch."""
