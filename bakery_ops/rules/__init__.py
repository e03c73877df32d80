"""Judgement: values in, verdicts, findings and plans out. No rule does I/O, reads a clock, sleeps or prints."""
