"""The invented practice that the sandbox starts with: its people, today's visits, what each patient consented to.

``people`` is the story, ``resources`` its shape in FHIR, ``plant_seed`` puts it into a record. Nobody in it exists.
"""

from gateway.sandbox.seed.planting import move_visits, plant_seed
from gateway.sandbox.seed.resources import build_seed

__all__ = ["build_seed", "move_visits", "plant_seed"]
