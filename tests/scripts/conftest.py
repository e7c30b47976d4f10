import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent.parent))  # the folder of `scripts`, which is not installed
