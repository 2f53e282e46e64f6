"""Starts a real Girder, or the Python worker that runs beside it, on FerretDB.

serve.py serve <port>            Girder's web server on 127.0.0.1
serve.py worker [celery options] girder_worker, as it runs beside Girder 5 for the queue `local`
serve.py register                adds the image of standard input, JSON {image, folder, clis: {name: xml}}, to the
                                 database as Girder 3 does once Docker has answered it; Girder has to be started again
The rest is in the environment: GIRDER_MONGO_URI, GIRDER_WORKER_BROKER, GIRDER_SETTING_...
"""

import os
import sys

import girder_patches

girder_patches.install()

if sys.argv[1] == 'worker':
    from girder_worker.app import app

    app.worker_main(['worker', *sys.argv[2:]])
elif sys.argv[1] == 'register':
    import json
    from types import SimpleNamespace

    from girder.models.folder import Folder
    from girder.models.user import User
    from slicer_cli_web.models import DockerImageItem

    wanted = json.load(sys.stdin)
    clis = {name: {'type': 'sandbox', 'xml': xml} for name, xml in wanted['clis'].items()}
    image = SimpleNamespace(labels={}, attrs={})
    folder = Folder().load(wanted['folder'], force=True)
    DockerImageItem.saveImage(wanted['image'], clis, image, User().findOne({'admin': True}), folder)
else:
    from girder.cli import serve

    database = os.environ['GIRDER_MONGO_URI']
    serve.main(['--mode', 'production', '--host', '127.0.0.1', '--port', sys.argv[2], '--database', database])
