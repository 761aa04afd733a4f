"""The one place that imports the CDK, so that either family of it works: chosen whole, never mixed.

CDKTF (``cdktf``) is archived; its successor CDK Terrain (``cdktn``) has the same classes under another name. The
environment variable ``HIKUBE_KAFKA_CDK`` chooses; ``cdktf`` is the default. Stacks import from here, or from the family
that is chosen.
"""

import importlib
import os
from typing import TYPE_CHECKING

from constructs import Construct, IConstruct, IValidation
from jsii import implements

if TYPE_CHECKING:
    from cdktf import (
        Annotations,
        App,
        IResolvable,
        ITerraformDependable,
        LocalBackend,
        TerraformDataSource,
        TerraformElement,
        TerraformOutput,
        TerraformProvider,
        TerraformProviderGeneratorMetadata,
        TerraformResource,
        TerraformStack,
        Testing,
        Token,
    )
else:
    FAMILIES = ("cdktf", "cdktn")
    FAMILY = os.environ.get("HIKUBE_KAFKA_CDK", "cdktf")
    if FAMILY not in FAMILIES:
        raise ImportError(f"HIKUBE_KAFKA_CDK = {FAMILY!r}: choose one of {', '.join(FAMILIES)}, or unset it.")
    _family = importlib.import_module(FAMILY)

    Annotations = _family.Annotations
    App = _family.App
    IResolvable = _family.IResolvable
    ITerraformDependable = _family.ITerraformDependable
    LocalBackend = _family.LocalBackend
    TerraformDataSource = _family.TerraformDataSource
    TerraformElement = _family.TerraformElement
    TerraformOutput = _family.TerraformOutput
    TerraformProvider = _family.TerraformProvider
    TerraformProviderGeneratorMetadata = _family.TerraformProviderGeneratorMetadata
    TerraformResource = _family.TerraformResource
    TerraformStack = _family.TerraformStack
    Testing = _family.Testing
    Token = _family.Token

__all__ = [
    "Annotations",
    "App",
    "Construct",
    "IConstruct",
    "IResolvable",
    "ITerraformDependable",
    "IValidation",
    "LocalBackend",
    "TerraformDataSource",
    "TerraformElement",
    "TerraformOutput",
    "TerraformProvider",
    "TerraformProviderGeneratorMetadata",
    "TerraformResource",
    "TerraformStack",
    "Testing",
    "Token",
    "implements",
]
