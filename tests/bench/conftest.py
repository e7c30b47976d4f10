import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent.parent))  # contains `bench`, which isn't installed
