"""The one place that imports the CDK, so that either family of it works: chosen whole, never mixed.

CDKTF (``cdktf``) is archived; its successor CDK Terrain (``cdktn``) has the same classes under another name. The
environment variable ``HIKUBE_KAFKA_CDK`` chooses; ``cdktf`` is the default. Stacks import from here, or from the family
that is chosen.
"""

import importlib
import os
from types import ModuleType
from typing import TYPE_CHECKING

from constructs import Construct, IConstruct, IValidation
from jsii import implements


def _loaded(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if (error.name or "").partition(".")[0] != package:
            raise
        wanted = "hikube-kafka[cdktn]" if package.startswith("cdktn") else package.replace("_", "-")
        raise ModuleNotFoundError(f"{package} is not installed: pip install '{wanted}'.", name=package) from error


if TYPE_CHECKING:
    from cdktf import (
        Annotations,
        App,
        AssetType,
        DefaultTokenResolver,
        Fn,
        IResolvable,
        IStackSynthesizer,
        ISynthesisSession,
        ITerraformDependable,
        LocalBackend,
        StringConcat,
        TerraformAsset,
        TerraformBackend,
        TerraformDataSource,
        TerraformElement,
        TerraformLocal,
        TerraformModule,
        TerraformOutput,
        TerraformProvider,
        TerraformProviderGeneratorMetadata,
        TerraformResource,
        TerraformResourceLifecycle,
        TerraformStack,
        TerraformVariable,
        Testing,
        Token,
        Tokenization,
    )

    FAMILY = "cdktf"
else:
    FAMILIES = ("cdktf", "cdktn")
    FAMILY = os.environ.get("HIKUBE_KAFKA_CDK", "cdktf")
    if FAMILY not in FAMILIES:
        raise ImportError(f"HIKUBE_KAFKA_CDK = {FAMILY!r}: choose one of {', '.join(FAMILIES)}, or unset it.")
    _family = _loaded(FAMILY)

    Annotations = _family.Annotations
    App = _family.App
    AssetType = _family.AssetType
    DefaultTokenResolver = _family.DefaultTokenResolver
    Fn = _family.Fn
    IResolvable = _family.IResolvable
    IStackSynthesizer = _family.IStackSynthesizer
    ISynthesisSession = _family.ISynthesisSession
    ITerraformDependable = _family.ITerraformDependable
    LocalBackend = _family.LocalBackend
    StringConcat = _family.StringConcat
    TerraformAsset = _family.TerraformAsset
    TerraformBackend = _family.TerraformBackend
    TerraformDataSource = _family.TerraformDataSource
    TerraformElement = _family.TerraformElement
    TerraformLocal = _family.TerraformLocal
    TerraformModule = _family.TerraformModule
    TerraformOutput = _family.TerraformOutput
    TerraformProvider = _family.TerraformProvider
    TerraformProviderGeneratorMetadata = _family.TerraformProviderGeneratorMetadata
    TerraformResource = _family.TerraformResource
    TerraformResourceLifecycle = _family.TerraformResourceLifecycle
    TerraformStack = _family.TerraformStack
    TerraformVariable = _family.TerraformVariable
    Testing = _family.Testing
    Token = _family.Token
    Tokenization = _family.Tokenization


class FamilyError(TypeError):
    """A construct of the family that is not chosen; the message names the variable that chooses."""


def require_family(scope: IConstruct) -> None:
    """Refuse a scope of the other family: the CDK itself ends in an error that names neither of the two.

    Raises:
        FamilyError: the scope, or what holds it, is of the family that is not chosen.
    """
    of = {base.__module__.partition(".")[0] for each in scope.node.scopes for base in type(each).__mro__}
    for other in of & _BINDINGS.keys() - {FAMILY}:
        raise FamilyError(
            f"{scope.node.path or 'the app'} is a construct of {other}, and {FAMILY} is chosen: set "
            f"HIKUBE_KAFKA_CDK={other}, or import the CDK's classes from hikube_kafka.platform.cdk."
        )


_BINDINGS = {"cdktf": "cdktf_cdktf_provider_", "cdktn": "cdktn_provider_"}


def bindings(provider: str, of: str) -> ModuleType:
    """The family's bindings of a provider: ``bindings("helm", "release").Release``. Loaded when needed: they are slow.

    Raises:
        ModuleNotFoundError: they are not installed; the message names the package.
    """
    return _loaded(f"{_BINDINGS[FAMILY]}{provider}.{of}")


__all__ = [
    "FAMILY",
    "Annotations",
    "App",
    "AssetType",
    "Construct",
    "DefaultTokenResolver",
    "Fn",
    "IConstruct",
    "IResolvable",
    "IStackSynthesizer",
    "ISynthesisSession",
    "ITerraformDependable",
    "IValidation",
    "LocalBackend",
    "StringConcat",
    "TerraformAsset",
    "TerraformBackend",
    "TerraformDataSource",
    "TerraformElement",
    "TerraformLocal",
    "TerraformModule",
    "TerraformOutput",
    "TerraformProvider",
    "TerraformProviderGeneratorMetadata",
    "TerraformResource",
    "TerraformResourceLifecycle",
    "TerraformStack",
    "TerraformVariable",
    "Testing",
    "Token",
    "Tokenization",
    "bindings",
    "implements",
]
