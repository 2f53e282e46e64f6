// A plain client that sends a log to a Girder job, in pieces as long as those of the worker: URL of the job, its token, bytes.
const [url, token, bytes] = process.argv.slice(2);
const piece = 'a line of an ordinary log, about eighty characters long, without any tag in it\n'.repeat(414);
for (let sent = 0; sent < Number(bytes); sent += piece.length) {
  const answer = await fetch(url, {
    method: 'PUT',
    headers: { 'girder-token': token },
    body: new URLSearchParams({ log: piece }),
  });
  if (!answer.ok) throw new Error(await answer.text());
  await answer.arrayBuffer();
}
