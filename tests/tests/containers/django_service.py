"""The recipe for Django of docs/containers.md, as a service of one file."""

import sys
from wsgiref.simple_server import make_server

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    AUTHENTICATION_BACKENDS=["django.contrib.auth.backends.RemoteUserBackend"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1]}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        f"{__name__}.GateMiddleware",
    ],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of a test",
)
django.setup()

from django.contrib.auth.middleware import RemoteUserMiddleware
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, HttpResponseForbidden
from django.urls import path


class GateMiddleware(RemoteUserMiddleware):
    header = "HTTP_X_AMZN_MTLS_CLIENTCERT_SUBJECT"


def hello(request):
    if not request.user.is_authenticated:
        return HttpResponseForbidden("who are you?")
    return HttpResponse(f"hello {request.user.get_username()}")


urlpatterns = [path("hello", hello)]
call_command("migrate", verbosity=0)
server = make_server("127.0.0.1", 0, get_wsgi_application())
print(server.server_port, flush=True)
server.serve_forever()
