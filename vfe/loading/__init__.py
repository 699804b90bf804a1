"""From files to pipelines: the bundled lite model, or the parts of a Wan model with their adapters."""
