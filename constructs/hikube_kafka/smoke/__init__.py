"""The smoke tests: contract and observation become findings, and findings a report."""
