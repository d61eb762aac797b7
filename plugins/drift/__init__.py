"""Finds models that have begun to answer differently (SPEC 9.1: drift detected yes or no).

For each model and signal one adaptive window (ADWIN, Bifet and Gavalda 2007) is kept: it grows
while its values look alike and drops its older part as soon as the means of two parts differ by
more than chance explains. Signals are output tokens and confidence of answered calls, latency and
errors of tries, and people's satisfaction.

Each worker watches the share of the calls that it serves, which is a random one: no state is shared
and none is needed; the gauge says what any worker sees. A change is told once by all workers
together. What a restart loses: the windows, so that a change which began shortly before is found
only against what follows, and the gauge's hour. Satisfaction is read from PostgreSQL and loses
nothing.

A change of what is asked looks like a change of the model: a new tenant with longer documents
makes answers longer too. What is found is a reason to look, not proof.
"""
