"""The seven promises under faults: commands that attack a real daemon, and what judges the outcome.

Each command starts the broker, the model server (a stand-in) and the daemons that it needs, ends with 1 when
a promise was broken, and keeps what shows it. In its short form each runs with the tests (`tests/faults`).

    python -m verification.faults.crash --rounds 10000 --seed 1

kills the daemon at named points between any two durable effects, and looks at what is left: 300 rounds in
some five minutes on two cores.

    python -m verification.faults.rebalance --records 20000 --seed 1

starts, stops, freezes and kills three daemons of one consumer group and one inbox while pictures flow: a
quarter of an hour.

    python -m verification.faults.mutants --count 1000000 --seed 1

puts hostile JPEGs through the gate and the embedded engine: an hour.

    python -m verification.faults.soak --minutes 30 --seed 1

loads folder, Kafka and HTTP at 80 % of capacity, with outages, and tells what grew: so long, and what working
off takes.

    python -m verification.faults.outages

runs the tests of outages, and prints how long the daemon took to be whole after each: ten minutes.

What they share: `evidence` reads what really is (the database's file, folders, topics) without the daemon's
code, `oracle` compares it with what was put in, `inputs` puts files in.
"""
