"""Written by `convexpy codegen` from schema.py. Do not edit."""

from typing import NewType

from typing_extensions import TypedDict

UsersId = NewType("UsersId", str)
ChannelsId = NewType("ChannelsId", str)
MessagesId = NewType("MessagesId", str)

# Read by convexpy, where an annotation names an id.
ID_TABLES: dict[str, str] = {"UsersId": "users", "ChannelsId": "channels", "MessagesId": "messages"}


# users

class UsersFields(TypedDict):
    identifier: str
    name: str
    lastSeen: float
    here: bool


class UsersDoc(UsersFields):
    _id: UsersId
    _creationTime: float


class UsersPatch(TypedDict, total=False):
    identifier: str
    name: str
    lastSeen: float
    here: bool


# channels

class ChannelsFields(TypedDict):
    name: str


class ChannelsDoc(ChannelsFields):
    _id: ChannelsId
    _creationTime: float


class ChannelsPatch(TypedDict, total=False):
    name: str


# messages

class MessagesFields(TypedDict):
    channelId: ChannelsId
    userId: UsersId
    author: str
    body: str


class MessagesDoc(MessagesFields):
    _id: MessagesId
    _creationTime: float


class MessagesPatch(TypedDict, total=False):
    channelId: ChannelsId
    userId: UsersId
    author: str
    body: str
