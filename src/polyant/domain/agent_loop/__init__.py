"""The parts of the loop of model calls and tool calls, which `Toolbox` combines."""
