"""The quorum gate: contract and observation become findings, and findings a report."""
