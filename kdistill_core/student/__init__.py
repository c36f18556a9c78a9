"""The student: an image backbone, 14 condition queries and a language model, as a transformers model.

Importing it registers configuration, model and processor with transformers' Auto classes, so that
``AutoModel.from_pretrained`` and ``AutoProcessor.from_pretrained`` open a student checkpoint like any other.
"""

from transformers import AutoBackbone, AutoConfig, AutoModel, AutoModelForImageTextToText, AutoProcessor

from kdistill_core.student.configuration import StudentConfig
from kdistill_core.student.densenet import DenseNetBackbone, DenseNetConfig
from kdistill_core.student.errors import StudentError
from kdistill_core.student.modeling import StudentModel, StudentOutput
from kdistill_core.student.processing import StudentProcessor

AutoConfig.register(DenseNetConfig.model_type, DenseNetConfig, exist_ok=True)
AutoBackbone.register(DenseNetConfig, DenseNetBackbone, exist_ok=True)
AutoConfig.register(StudentConfig.model_type, StudentConfig, exist_ok=True)
AutoModel.register(StudentConfig, StudentModel, exist_ok=True)
AutoModelForImageTextToText.register(StudentConfig, StudentModel, exist_ok=True)
AutoProcessor.register(StudentConfig, StudentProcessor, exist_ok=True)

__all__ = ["StudentConfig", "StudentError", "StudentModel", "StudentOutput", "StudentProcessor"]
