"""What is under way and what was spent, by actions and events alone: the laws do not take the
machine's own word for it."""

from __future__ import annotations

from cascade.policy.model import (
    Action,
    Answered,
    Call,
    Cancel,
    Check,
    Checked,
    Event,
    Failed,
    Refused,
)


class Account:
    """The outside view of a request under way.

    ``flying`` holds calls and checks that have started and not landed, cancelled ones included;
    ``overrun`` says that a bill was above its hold.
    """

    def __init__(self) -> None:
        self.spent = 0
        self.overrun = False
        self.flying: dict[int, Call | Check] = {}
        self.cancelled: set[int] = set()

    @property
    def held(self) -> int:
        """What calls under way may still cost."""
        return sum(action.hold for action in self.flying.values())

    @property
    def running(self) -> list[Call | Check]:
        """What is under way and not cancelled."""
        return [action for call, action in self.flying.items() if call not in self.cancelled]

    def land(self, event: Event) -> None:
        """Take in what happened, before the actions that answer it."""
        if not isinstance(event, Answered | Checked | Failed | Refused):
            return
        action = self.flying.pop(event.call, None)
        cost = 0 if isinstance(event, Refused) else event.cost
        self.spent += cost
        self.overrun = self.overrun or cost > (0 if action is None else action.hold)

    def perform(self, action: Action) -> None:
        """Take in what is done."""
        if isinstance(action, Call | Check):
            self.flying[action.call] = action
        if isinstance(action, Cancel):
            self.cancelled.add(action.call)
