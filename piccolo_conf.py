"""For the `piccolo` command, which writes new migrations; the server never reads it."""

import os

from piccolo.conf.apps import AppRegistry

from polyant.adapters.piccolo.database import PiccoloDatabase

DB = PiccoloDatabase(os.environ.get("DATABASE_URL", "sqlite:///.polyant/polyant.db")).engine

APP_REGISTRY = AppRegistry(apps=["polyant.adapters.piccolo.piccolo_app"])
