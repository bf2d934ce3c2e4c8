"""TensorFlow Serving's gRPC messages, as Google's own library writes and reads them.

Made from the table below, since TensorFlow's own classes come with TensorFlow alone. A map is written as its
entries are: https://protobuf.dev/programming-guides/proto3/#backwards.
"""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_TABLE = """
Int64Value: 1 value int64
ModelSpec: 1 name string, 2 version Int64Value, 3 signature_name string, 4 version_label string
Dim: 1 size int64, 2 name string
TensorShape: 2 dim Dim*, 3 unknown_rank bool
Tensor: 1 dtype int32, 2 tensor_shape TensorShape, 3 version_number int32, 4 tensor_content bytes, \
5 float_val float*, 6 double_val double*, 8 string_val bytes*, 10 int64_val int64*
TensorEntry: 1 key string, 2 value Tensor
PredictRequest: 1 model_spec ModelSpec, 2 inputs TensorEntry*, 3 output_filter string*
PredictResponse: 1 outputs TensorEntry*, 2 model_spec ModelSpec
StatusRequest: 1 model_spec ModelSpec
Status: 1 error_code int32, 2 error_message string
VersionStatus: 1 version int64, 2 state int32, 3 status Status
StatusResponse: 1 model_version_status VersionStatus*
MetadataRequest: 1 model_spec ModelSpec, 2 metadata_field string*
Any: 1 type_url string, 2 value bytes
AnyEntry: 1 key string, 2 value Any
MetadataResponse: 1 model_spec ModelSpec, 2 metadata AnyEntry*
TensorInfo: 1 name string, 2 dtype int32, 3 tensor_shape TensorShape
TensorInfoEntry: 1 key string, 2 value TensorInfo
SignatureDef: 1 inputs TensorInfoEntry*, 2 outputs TensorInfoEntry*, 3 method_name string
SignatureDefEntry: 1 key string, 2 value SignatureDef
SignatureDefMap: 1 signature_def SignatureDefEntry*
"""

_PACKAGE = "stand_in"
_Field = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "bool": _Field.TYPE_BOOL,
    "bytes": _Field.TYPE_BYTES,
    "double": _Field.TYPE_DOUBLE,
    "float": _Field.TYPE_FLOAT,
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
    "string": _Field.TYPE_STRING,
}


def _made() -> dict[str, type]:
    file = descriptor_pb2.FileDescriptorProto(name="stand_in.proto", package=_PACKAGE, syntax="proto3")
    for line in _TABLE.strip().splitlines():
        name, _, fields = line.partition(": ")
        message = file.message_type.add(name=name)
        for field in fields.split(", "):
            number, called, kind = field.split()
            is_repeated, kind = kind.endswith("*"), kind.rstrip("*")
            message.field.add(
                name=called,
                number=int(number),
                label=_Field.LABEL_REPEATED if is_repeated else _Field.LABEL_OPTIONAL,
                type=_TYPES.get(kind, _Field.TYPE_MESSAGE),
                type_name=None if kind in _TYPES else f".{_PACKAGE}.{kind}",
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        message.name: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"{_PACKAGE}.{message.name}")
        )
        for message in file.message_type
    }


MESSAGES = _made()
"""The class of each message, by its name in the table."""
