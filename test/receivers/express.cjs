// As much of Express as the page's code calls.
const { createServer } = require("node:http");

function express() {
  const routes = new Map();
  return {
    post(path, ...handlers) {
      routes.set(path, handlers);
    },
    listen(port, host) {
      createServer((request, response) => {
        response.sendStatus = (status) => response.writeHead(status).end();
        const [parse, handle] = routes.get(request.url) ?? [];
        if (parse === undefined || request.method !== "POST") return response.sendStatus(404);
        parse(request, response, () => handle(request, response));
      }).listen(port, host);
    },
  };
}

express.raw =
  ({ type, limit }) =>
  (request, response, next) => {
    if (request.headers["content-type"] !== type || limit !== "5mb") return response.sendStatus(415);
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      request.body = Buffer.concat(chunks);
      next();
    });
  };

module.exports = express;
