// The recipe for Express of docs/containers.md, as a service of one file.
const express = require('express');

const app = express();
app.get('/hello', (request, response) => {
  const subject = request.get('x-amzn-mtls-clientcert-subject');
  if (!subject) return response.status(403).send('who are you?');
  response.send(`hello ${subject}`);
});
const server = app.listen(0, '127.0.0.1', () => console.log(server.address().port));
