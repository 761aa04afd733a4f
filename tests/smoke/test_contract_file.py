import json
from pathlib import Path
from typing import Any

import pytest

from hikube_kafka.smoke.contract_file import ContractFileError, read_contract, read_contracts
from hikube_kafka.spec.contract import Contract

VERSION_1 = Path(__file__).parents[1] / "spec" / "contracts"


def written(path: Path, content: Any) -> Path:
    file = path / "file.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def bare(contract: Contract) -> Any:
    return contract.model_dump(mode="json")


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(lambda value: value, id="bare"),
        pytest.param(
            lambda value: {"contract": {"sensitive": False, "type": "dynamic", "value": value}}, id="terraform"
        ),
        pytest.param(
            lambda value: {
                "bootstrap": {"sensitive": False, "type": "string", "value": "{not json"},
                "contract": {"sensitive": False, "type": "string", "value": json.dumps(value)},
            },
            id="terraform, as text",
        ),
        pytest.param(lambda value: {"local": {"bootstrap": "b:9092", "contract": value}}, id="cdktf"),
        pytest.param(lambda value: {"local": {"contract": json.dumps(value)}}, id="cdktf, as text"),
        pytest.param(lambda value: {"local": {"platform": {"contract_5A2B": value}}}, id="cdktf, inside a construct"),
    ],
)
def test_the_contract_is_found_in_every_shape(contract: Contract, tmp_path: Path, shape: Any) -> None:
    assert read_contract(written(tmp_path, shape(bare(contract)))) == contract


def test_a_file_that_is_not_there_says_how_to_write_it(tmp_path: Path) -> None:
    with pytest.raises(ContractFileError, match="No such file or directory; write it with `terraform output -json`"):
        read_contract(tmp_path / "nowhere.json")


def test_a_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    file.write_text("<html>", encoding="utf-8")

    with pytest.raises(ContractFileError, match="is not JSON"):
        read_contract(file)


def test_outputs_without_a_contract_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractFileError, match="contains no contract: the stack must have been applied"):
        read_contract(written(tmp_path, {"local": {"bootstrap": "b:9092"}, "other": None}))


def test_every_contract_of_a_file_is_found_once(contract: Contract, tmp_path: Path) -> None:
    other = contract.model_copy(update={"platform": "payments"})
    file = written(
        tmp_path,
        {
            "stack": {
                "orders_contract": bare(contract),
                "orders_bootstrap": "b:9092",
                "payments_contract": other.model_dump_json(),
                "again": bare(contract),
                "somebody_s": {"version": 3, "platform": "x"},
            }
        },
    )

    found = read_contracts(file)

    assert [(each.platform, each.place) for each in found] == [
        ("orders", "stack.orders_contract"),
        ("payments", "stack.payments_contract"),
    ]
    assert [each.contract for each in found] == [contract, other]
    assert read_contract(file, "payments") == read_contract(file, "stack.payments_contract") == other
    with pytest.raises(ContractFileError, match=r"contains 2 contracts \(stack.orders_contract, .*\): name one"):
        read_contract(file)
    with pytest.raises(
        ContractFileError,
        match=r"no contract of a platform 'order'; there are: orders \(stack.orders_contract\), payments \(",
    ):
        read_contracts(file, "order")


def test_a_contract_that_stands_there_twice_has_two_places(contract: Contract, tmp_path: Path) -> None:
    file = written(tmp_path, {"shop": {"contract": bare(contract), "same": bare(contract)}})
    assert len(read_contracts(file)) == 1
    assert [each.place for each in read_contracts(file, "shop.same")] == ["shop.same"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_that_powershell_wrote_is_read(contract: Contract, tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(bare(contract)), encoding=encoding)
    assert read_contract(file) == contract


def test_a_contract_that_cannot_be_read_hides_no_other(contract: Contract, tmp_path: Path) -> None:
    file = written(
        tmp_path,
        {
            "new_contract": {"sensitive": False, "value": bare(contract) | {"platform": "new", "version": 3}},
            "contract": {"sensitive": False, "value": bare(contract)},
        },
    )

    newer, own = read_contracts(file)

    assert (newer.platform, newer.place, newer.contract) == ("new", "new_contract", None)
    assert "version 3 of the contract is not known" in newer.fault
    assert (own.place, own.contract) == ("contract", contract)


def test_a_newer_contract_is_refused_and_not_passed_over(contract: Contract, tmp_path: Path) -> None:
    with pytest.raises(
        ContractFileError,
        match=r"the contract at local.contract cannot be read: version 3 of the contract is not known: this release "
        r"reads versions 1 and 2. Read it with the release of hikube-kafka that wrote it, or a newer one\.$",
    ):
        read_contract(written(tmp_path, {"local": {"contract": bare(contract) | {"version": 3}}}))


@pytest.mark.parametrize("target", ["kubernetes", "local"])
def test_the_contract_of_a_platform_that_was_deployed_with_version_1_is_read(target: str, tmp_path: Path) -> None:
    deployed = json.loads((VERSION_1 / f"version_1_{target}.json").read_text("utf-8"))
    promised = read_contract(
        written(tmp_path, {"contract": {"sensitive": False, "type": "dynamic", "value": deployed}})
    )
    assert promised.zookeeper_connect.startswith(deployed["zookeeper"]["servers"][0]["address"])


def test_a_faulty_contract_names_its_fault(contract: Contract, tmp_path: Path) -> None:
    with pytest.raises(ContractFileError, match="colour: Extra inputs are not permitted"):
        read_contract(written(tmp_path, bare(contract) | {"colour": "blue"}))
