"""Our reading of YAML against kubectl's own. `annotate --local` prints what kubectl read and asks no cluster."""

import json
from pathlib import Path

from bakery_ops.model import scalars, yaml_text
from bakery_ops.tools import process
from bakery_ops.tools.kustomize import _bundled

CASES = json.loads((Path(__file__).parents[1] / "unit" / "model" / "scalars.json").read_text())
HEAD = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {{name: n{number}}}\nspec:\n  value: {text}\n"


def kubectl_json(text):
    argv = [_bundled() or process.find("kubectl"), "annotate", "--local", "-f", "-", "-o", "json", "read=yes"]
    return process.run(argv, stdin=text.encode()).stdout


def test_kubectl_reads_every_recorded_value_as_recorded():
    accepted = [case for case in CASES if len(case) == 2]
    text = "---\n".join(HEAD.format(number=number, text=case[0]) for number, case in enumerate(accepted))
    decoder = json.JSONDecoder()
    answer, position = kubectl_json(text).strip(), 0
    read = []
    while position < len(answer):
        body, position = decoder.raw_decode(answer, position)
        read.append(body["spec"]["value"])
        position += len(answer[position:]) - len(answer[position:].lstrip())
    # Beyond 64 bits JSON writes a float as an integer.
    assert [scalars.as_json(value) if type(value) is int else value for value in read] == [case[1] for case in accepted]


def test_a_block_of_yaml_is_read_as_kubectl_reads_it():
    block = "|2-\n     kept\n\n  folded: >\n    one\n    two\n\n  list: [a, 'b''c', \"d\\u00e9\\n\"]\n  empty:"
    text = HEAD.format(number=0, text=block)
    ours = yaml_text.read(text).documents[0].value
    theirs = json.loads(kubectl_json(text))
    del theirs["metadata"]["annotations"]
    assert ours == theirs
