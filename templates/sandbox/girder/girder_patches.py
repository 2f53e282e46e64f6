"""What FerretDB 1.24 lacks for Girder, added on the client's side.

FerretDB speaks MongoDB's protocol but not all of its query language. Girder's own code stays as it was installed: only
pymongo's methods are wrapped. Queries that FerretDB refuses are answered with several that it knows, which is right
for the few hundred documents of a test and would be far too slow for a real archive.
"""

import functools
import os
import threading
import time

from pymongo.collection import Collection

# FerretDB's SQLite backend reads and writes a document in two steps, so two updates at once may lose one of them.
_writing = threading.RLock()

# For tests: slicer_cli_web loads a job after publishing it and saves it whole, and what a worker reports in between is
# overwritten. On a quiet machine that is a matter of milliseconds; this makes it as long as a test wants.
_late_save = float(os.environ.get('SANDBOX_LATE_SAVE_SECONDS', '0'))

_find = Collection.find
_aggregate = Collection.aggregate


def _value(document, path):
    for name in path.split('.'):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _matches(value, condition):
    if not isinstance(condition, dict):
        return value == condition
    tests = {'$gte': lambda wanted: value is not None and value >= wanted, '$in': lambda wanted: value in wanted}
    return all(tests[operator](wanted) for operator, wanted in condition.items())


def _ids_with_element(collection, path, condition):
    """Ids of the documents in whose array at `path` one element meets all of `condition` ($elemMatch with fields)."""
    return [
        document['_id']
        for document in _find(collection, {}, projection={path: True})
        if any(
            all(_matches(element.get(name), test) for name, test in condition.items())
            for element in _value(document, path) or []
        )
    ]


def _without_element_match(collection, query):
    if isinstance(query, list):
        return [_without_element_match(collection, each) for each in query]
    if not isinstance(query, dict):
        return query
    result = {}
    for key, value in query.items():
        if isinstance(value, dict) and set(value) == {'$elemMatch'}:
            ids = _ids_with_element(collection, key, value['$elemMatch'])
            result.setdefault('$and', []).append({'_id': {'$in': ids}})
        elif key == '$and':
            result.setdefault('$and', []).extend(_without_element_match(collection, value))
        else:
            result[key] = _without_element_match(collection, value)
    return result


def find(self, *args, **kwargs):
    kwargs.pop('no_cursor_timeout', None)
    if args:
        args = (_without_element_match(self, args[0]), *args[1:])
    elif 'filter' in kwargs:
        kwargs['filter'] = _without_element_match(self, kwargs['filter'])
    return _find(self, *args, **kwargs)


def _without_prefix(query, prefix):
    if isinstance(query, list):
        return [_without_prefix(each, prefix) for each in query]
    if not isinstance(query, dict):
        return query
    return {key.removeprefix(prefix): _without_prefix(value, prefix) for key, value in query.items()}


def _join(self, pipeline):
    """`$lookup` of one parent and a `$match` on it, as girder.utility.acl_mixin writes it: two queries instead."""
    lookup, match = pipeline[1]['$lookup'], pipeline[2]['$match']
    parents = self.database[lookup['from']]
    query = _without_prefix(match, lookup['as'] + '.')
    ids = [document['_id'] for document in find(parents, query, projection=['_id'])]
    allowed = {'$and': [pipeline[0]['$match'], {lookup['localField']: {'$in': ids}}]}
    rest = [stage for stage in pipeline[3:] if stage != {'$project': {lookup['as']: False}}]
    return [{'$match': _without_element_match(self, allowed)}, *rest]


def _descendants(self, pipeline):
    """`$graphLookup` of the folders below one, as slicer_cli_web's list of CLIs asks for it."""
    lookup = pipeline[1]['$graphLookup']
    restriction = lookup.get('restrictSearchWithMatch', {})
    found = []
    layer = [document['_id'] for document in find(self, pipeline[0]['$match'], projection=['_id'])]
    while layer:
        query = {'$and': [{lookup['connectToField']: {'$in': layer}}, restriction]}
        layer = [document['_id'] for document in find(self, query, projection=['_id'])]
        found.extend(layer)
    return iter([{'leaves': found}])


def aggregate(self, pipeline, *args, **kwargs):
    pipeline = list(pipeline)
    stages = [next(iter(stage)) for stage in pipeline]
    if '$graphLookup' in stages:
        return _descendants(self, pipeline)
    if '$lookup' in stages:
        pipeline = _join(self, pipeline)
    elif stages and stages[0] == '$group' and '$first' in str(pipeline[0]):
        # the search for settings that are there twice: a database of ours has a unique index from the start
        return iter([])
    else:
        pipeline = [_match_stage(self, stage) for stage in pipeline]
    # An empty first batch is read by FerretDB as the end.
    if kwargs.get('cursor', {}).get('batchSize') == 0 or kwargs.get('batchSize') == 0:
        kwargs.pop('cursor', None)
        kwargs.pop('batchSize', None)
    return _aggregate(self, pipeline, *args, **kwargs)


def _match_stage(self, stage):
    return {'$match': _without_element_match(self, stage['$match'])} if '$match' in stage else stage


def _without_slice(update):
    """The job log is cut to 4 MiB by `$slice`, which no test gets near to."""
    if not isinstance(update, dict) or '$push' not in update:
        return update
    push = {
        name: {key: item for key, item in value.items() if key != '$slice'} if isinstance(value, dict) else value
        for name, value in update['$push'].items()
    }
    return {**update, '$push': push}


def _one_at_a_time(method):
    @functools.wraps(method)
    def wrapper(self, *args, **kwargs):
        args = tuple(
            _without_slice(_without_element_match(self, arg)) if isinstance(arg, dict) else arg for arg in args
        )
        if 'update' in kwargs:
            kwargs['update'] = _without_slice(kwargs['update'])
        if self.name == 'job' and method.__name__ == 'replace_one':
            time.sleep(_late_save)
        with _writing:
            return method(self, *args, **kwargs)

    return wrapper


def _without_text_index(method):
    def create_index(self, keys, *args, **kwargs):
        # Girder goes on without a text index, after a traceback in its log for each of them.
        if isinstance(keys, list) and any(kind == 'text' for _, kind in keys):
            return None
        return method(self, keys, *args, **kwargs)

    return create_index


def install():
    Collection.find = find
    Collection.create_index = _without_text_index(Collection.create_index)
    Collection.aggregate = aggregate
    names = ('update_one', 'update_many', 'replace_one', 'find_one_and_update', 'insert_one', 'insert_many')
    for name in (*names, 'delete_one', 'delete_many', 'bulk_write'):
        setattr(Collection, name, _one_at_a_time(getattr(Collection, name)))
    count_documents = Collection.count_documents
    Collection.count_documents = lambda self, query, *args, **kwargs: count_documents(
        self, _without_element_match(self, query), *args, **kwargs
    )
