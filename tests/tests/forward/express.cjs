// A service as its documentation shows it: Express, passport-jwt and method-override.
const { createPublicKey } = require('node:crypto');
const express = require('express');
const methodOverride = require('method-override');
const passport = require('passport');
const { Strategy, ExtractJwt } = require('passport-jwt');

const key = createPublicKey({ key: Buffer.from(process.env.TOKEN_KEY, 'base64'), format: 'der', type: 'spki' });
passport.use(new Strategy({
  jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
  secretOrKey: key.export({ format: 'pem', type: 'spki' }),
  algorithms: ['ES256'],
}, (claims, done) => done(null, claims)));

const app = express();
app.set('trust proxy', true);
app.use(methodOverride('X-HTTP-Method-Override'));
app.use(methodOverride('_method'));
app.all('/token', passport.authenticate('jwt', { session: false }), (request, response) => {
  response.json({ subject: request.user.sub });
});
app.all('*', (request, response) => {
  response.json({ method: request.method, host: request.hostname, path: request.path });
});
const server = app.listen(0, '127.0.0.1', () => console.log(server.address().port));
