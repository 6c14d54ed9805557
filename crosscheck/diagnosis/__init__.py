"""From a judgement that failed to what a person reads: worst entries, the constant ratio, the Taylor slope."""
