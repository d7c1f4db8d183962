// An application of Express that has more than one host: says which one it answers for, and which of its routes it took.
const express = require("express");

const application = express();
const admin = express.Router();
admin.use((request, response) => response.json({ host: request.hostname, route: "admin" }));
application.use((request, response, next) =>
  request.hostname === "admin.example.org" ? admin(request, response, next) : next());
for (const route of ["/docs/keys", "/docs", "/status"]) {
  application.use(route, (request, response) => response.json({ host: request.hostname, route }));
}
application.use((request, response) => response.json({ host: request.hostname, route: "other" }));

const server = application.listen(0, "127.0.0.1", () => console.log(server.address().port));
