import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent.parent))  # where `bench` is; it isn't installed
