"""Bundles and datasets on the Hugging Face Hub: manifest, download, upload."""

from dermnote.hub.download import Kind as Kind
from dermnote.hub.download import pull as pull
from dermnote.hub.upload import PushResult as PushResult
from dermnote.hub.upload import push as push
from dermnote.hub.upload import push_folder as push_folder
