"""Runs the page's FastAPI code without FastAPI: a server on $PORT, and as much of FastAPI as that code names."""
import asyncio
import os
import sys
import types
from http.server import BaseHTTPRequestHandler, HTTPServer

routes = {}


class FastAPI:
    def post(self, path):
        def keep(handler):
            routes[path] = handler
            return handler

        return keep


class Request:
    def __init__(self, body, headers):
        self._body, self.headers = body, headers

    async def body(self):
        return self._body


class Response:
    def __init__(self, status_code=200):
        self.status_code = status_code


stand_in = types.ModuleType("fastapi")
stand_in.FastAPI, stand_in.Request, stand_in.Response = FastAPI, Request, Response
sys.modules["fastapi"] = stand_in
sys.path.insert(0, os.getcwd())
import main  # noqa: E402,F401


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(404)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        response = asyncio.run(routes[self.path](Request(body, self.headers)))
        self.answer(response.status_code)

    def answer(self, status):
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
